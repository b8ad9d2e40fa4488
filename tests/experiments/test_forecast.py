"""What a plan says before anything runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.forecast import forecast
from experiments.request import Request, Settings
from roadmap.record import read_records

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("jobs", "hours"), [(1, 3.0), (3, 1.0), (8, 1.0)])
def test_a_plan_does_not_divide_runs_among_more_jobs_than_there_are(tmp_path, jobs, hours):
    """Three runs, each as long as one that took an hour."""
    settings = Settings(roadmap="tiny", runs=tmp_path)
    requests = [Request(settings=settings, row="05", seed=seed) for seed in range(3)]
    (known,) = [run for run in read_records(ROOT / "results" / "tiny").records
                if (run.label.row, run.identity.seed) == ("05", 0)]  # fmt: skip
    found = forecast(requests, [replace(known, wall_seconds=3600.0)], jobs)
    assert (found.runs, found.there) == (3, 0)
    assert found.hours == pytest.approx(hours)


def test_a_torn_record_does_not_stop_a_plan(tmp_path):
    request = Request(settings=Settings(roadmap="tiny", runs=tmp_path), row="05", seed=0)
    request.folder.mkdir(parents=True)
    (request.folder / "record.json").write_text("{")
    assert forecast([request], [], 1).there == 0
