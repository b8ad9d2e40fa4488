"""What a plan says before anything runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from experiments.forecast import forecast, in_words
from experiments.request import Request
from experiments.settings import Settings
from roadmap.record import read_records
from steps.studies.load import load_study

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("jobs", "hours"), [(1, 3.0), (2, 2.0), (3, 1.0), (8, 1.0)])
def test_a_plan_does_not_divide_runs_among_more_jobs_than_there_are(tmp_path, jobs, hours):
    """Three runs, each as long as one that took an hour."""
    settings = Settings(roadmap="tiny", runs=tmp_path)
    requests = [Request(settings=settings, row="05", seed=seed) for seed in range(3)]
    plan = forecast(requests, [lasting(known("05"), 3600.0)], jobs)
    assert (plan.runs, plan.finished, plan.known) == (3, 0, 3)
    assert plan.hours == pytest.approx(hours)


def known(row):
    runs = read_records(ROOT / "results" / "tiny").records
    (run,) = [run for run in runs if (run.label.row, run.identity.seed) == (row, 0)]
    return run


def lasting(run, seconds, extra=0):
    """The run as if its epochs had taken so long, and all else so many seconds more."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start + timedelta(seconds=seconds + extra)
    times = {"started": start.isoformat(), "finished": end.isoformat()}
    provenance = replace(run.provenance, **times)
    return replace(run, wall_seconds=float(seconds), provenance=provenance)


def test_a_networks_own_runs_tell_its_speed_and_others_the_median(tmp_path):
    settings = Settings(roadmap="tiny", runs=tmp_path)

    def hours(row, records):
        return forecast([Request(settings=settings, row=row, seed=7)], records, 1)

    records = [lasting(known("05"), 7200), lasting(known("08"), 3600), lasting(known("13"), 3600)]
    assert hours("05", records).hours == pytest.approx(2.0)
    assert hours("08", records).hours == pytest.approx(1.0)
    other = hours("00", records)  # MAC for MAC as the middle one of the three
    speeds = sorted(run.macs / run.wall_seconds for run in records)
    assert other.known == 0
    assert other.hours == pytest.approx(known("00").macs / speeds[1] / 3600)


def test_a_plan_counts_what_a_run_takes_outside_its_epochs_and_shares_among_devices(tmp_path):
    requests = [Request(settings=Settings(runs=tmp_path), row="05", seed=seed) for seed in (5, 6)]
    records = [lasting(known("05"), 3600, extra=900)]
    assert forecast(requests, records, 1).hours == pytest.approx(2.5)
    assert forecast(requests, records, 1).speed.start_up == 900
    assert forecast(requests, records, 1, devices=2).hours == pytest.approx(1.5)
    shared = [replace(run, provenance=replace(run.provenance, devices=2)) for run in records]
    assert forecast(requests, shared, 1, devices=2).hours == pytest.approx(2.5)


def test_runs_that_diverged_do_not_tell_speeds_and_one_slow_start_is_not_all(tmp_path):
    requests = [Request(settings=Settings(runs=tmp_path), row="05", seed=5)]
    runs = [lasting(known("05"), 3600, extra=extra) for extra in (10, 20, 900)]
    assert forecast(requests, runs, 1).speed.start_up == 20
    diverged = replace(lasting(known("05"), 36), status="diverged", top1=None)
    assert forecast(requests, [*runs, diverged], 1).hours == pytest.approx(1 + 20 / 3600)
    assert forecast(requests, [diverged], 1).hours is None
    nodes = [replace(run, provenance=replace(run.provenance, nodes=2)) for run in runs[:1]]
    assert forecast(requests, nodes, 1).hours == pytest.approx(2 + 10 / 3600)


def test_a_plan_says_in_80_columns_what_its_hours_come_from(tmp_path):
    study = load_study("learning-rate")
    settings = Settings(study="learning-rate", roadmap=None, runs=tmp_path)
    requests = [Request(settings=settings, row=row.number, seed=0) for row in study.roadmap]
    plan = forecast(requests, [lasting(known("08"), 60, extra=3)], 2)
    text = in_words(study, plan, 1, 2)
    assert max(map(len, text.splitlines())) <= 80
    flat = " ".join(text.split())
    assert "3 s per run outside its epochs" in flat
    assert "estimated from 1 run with 1 thread on AMD EPYC" in flat
    assert "of the same network for 4 of 12 runs" in flat
    assert "a row minus the one before it of 01, 08, 13, both at the same learning rate" in flat


def test_a_torn_record_does_not_stop_a_plan(tmp_path):
    request = Request(settings=Settings(roadmap="tiny", runs=tmp_path), row="05", seed=0)
    request.folder.mkdir(parents=True)
    (request.folder / "record.json").write_text("{")
    assert forecast([request], [], 1).finished == 0
