"""A plan before any run exists: a few steps of each row, or no data at all."""

import dataclasses

import pytest

from experiments.forecast import forecast, in_words
from experiments.host.device import CPU, Device, this_device
from experiments.host.events import EpochDone, Started, StepDone
from experiments.host.machine import Machine
from experiments.meeting import Meeting
from experiments.planned import PlannedImages
from experiments.request import Request
from experiments.settings import Settings
from experiments.short_runs import Clock, Enough, seconds_of_runs
from roadmap.record import read_records
from steps.studies.load import load_study
from tests.experiments.launch.test_forecast import ROOT, known, lasting

H100 = Device(name="NVIDIA H100 80GB HBM3", watts=700.0)


def on(run, hardware):
    return dataclasses.replace(
        run, provenance=dataclasses.replace(run.provenance, hardware=hardware)
    )


def of(row="05", roadmap="tiny", runs="nowhere", images=10_000):
    settings = Settings(roadmap=roadmap, runs=runs)
    vars(settings)["source"] = PlannedImages(planned=images, of_classes=20, size=32)
    return Request(settings=settings, row=row, seed=0)


def test_runs_of_another_device_or_size_give_no_speed_and_are_named(tmp_path):
    tiny = lasting(known("05"), 3600)
    study = load_study("path")
    on_gpu = forecast([of(runs=tmp_path)], [tiny], 1, device=H100)
    assert on_gpu.hours is None and on_gpu.left_out == ("1 run on a CPU",)
    text = " ".join(in_words(study, on_gpu, 1, 1).split())
    assert "unknown: there is no finished run that fits" in text and "--measure" in text
    large = forecast([of(roadmap="resnet50", runs=tmp_path)], [tiny], 1, device=Device(name=CPU))
    assert large.hours is None and "another size" in large.left_out[0]
    both = [tiny, on(tiny, H100.name)]
    fits = forecast([of(runs=tmp_path, images=tiny.data["train"])], both, 1, device=H100)
    assert fits.hours == pytest.approx(1.0) and fits.left_out == ("1 run on a CPU",)
    text = " ".join(in_words(study, fits, 1, 1).split())
    assert "= 1.0 GPU hours, at most 0.7 kWh at 700 W" in text
    assert "not used: 1 run on a CPU" in text
    eight = forecast([of(runs=tmp_path, images=tiny.data["train"])], both, 1, 8, device=H100)
    assert eight.device_hours == pytest.approx(1.0) and eight.hours == pytest.approx(1 / 8)
    text = " ".join(in_words(study, eight, 1, 1).split())
    assert "if 8 devices are 8 times as fast as one" in text


def test_all_committed_records_are_of_a_cpu():
    records = read_records(ROOT / "results" / "tiny").records
    assert records and all(Device(name=CPU).is_like(record) for record in records)
    assert this_device().name != ""


def test_timed_rows_come_before_records(tmp_path):
    requests = [of("05", runs=tmp_path), of("13", runs=tmp_path)]
    timed = {request.identity.spec: 3600.0 for request in requests}
    plan = forecast(requests, [], 2, device=Device(name=CPU), timed=timed)
    assert (plan.hours, plan.measured) == (pytest.approx(1.0), 2)
    assert "from 20 steps of each row" in " ".join(in_words(load_study("path"), plan, 1, 2).split())


def test_a_clock_times_steps_without_validation(monkeypatch):
    clock, now = Clock(batch=10), [100.0]
    monkeypatch.setattr("experiments.short_runs.time.monotonic", lambda: now[0])

    def at(seconds, event):
        now[0] = 100.0 + seconds
        clock(event)

    at(0, Started(run="r", history=[], step=0, steps=60))
    at(5, StepDone(run="r", step=1, steps=60))  # warms up
    at(6, StepDone(run="r", step=11, steps=60))
    metrics = {"images_per_second": 3.0}
    at(9, EpochDone(run="r", step=12, steps=60, epoch=1, epochs=5, metrics=metrics))
    at(20, StepDone(run="r", step=13, steps=60))
    with pytest.raises(Enough):
        at(21, StepDone(run="r", step=23, steps=60))
    assert clock.image == pytest.approx(2.0 / 20 / 10)


def test_a_clock_waits_for_the_device_where_it_starts_and_stops(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("experiments.short_runs.time.monotonic", lambda: now[0])

    def wait():
        now[0] += 3.0

    clock = Clock(batch=10, wait=wait)
    clock(Started(run="r", history=[], step=0, steps=60))
    clock(StepDone(run="r", step=1, steps=60))
    with pytest.raises(Enough):
        clock(StepDone(run="r", step=21, steps=60))
    assert clock.image == pytest.approx(3.0 / 20 / 10)


def test_runs_in_a_meeting_are_timed_while_all_of_them_train(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("experiments.short_runs.time.monotonic", lambda: now[0])
    first, second, third = (
        Clock(batch=10, meeting=Meeting(folder=tmp_path, runs=3, number=number))
        for number in range(3)
    )

    def at(seconds, clock, step):
        now[0] = seconds
        clock(StepDone(run="r", step=step, steps=9999))

    for clock in (first, second):
        clock(Started(run="r", history=[], step=0, steps=9999))
    third.meeting.leave()  # it has failed
    at(1, first, 1)
    at(2, first, 50)  # the second is not warm
    assert not first.steps
    at(3, second, 1)
    at(4, first, 70)
    at(6, first, 90)  # is timed, and trains on
    at(7, first, 500)
    with pytest.raises(Enough):
        at(13, second, 21)
    with pytest.raises(Enough):
        at(14, first, 600)
    assert first.image == pytest.approx(2 / 20 / 10)
    assert second.image == pytest.approx(10 / 20 / 10)


def test_a_run_in_a_meeting_does_not_wait_for_ever(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("experiments.short_runs.time.monotonic", lambda: now[0])
    clock = Clock(batch=10, meeting=Meeting(folder=tmp_path, runs=2, number=0))
    clock(Started(run="r", history=[], step=0, steps=9999))
    for seconds, step in ((1, 1), (59, 50), (61, 70)):
        now[0] = seconds
        clock(StepDone(run="r", step=step, steps=9999))
    now[0] = 62
    with pytest.raises(Enough):
        clock(StepDone(run="r", step=75, steps=9999))
    assert clock.image == pytest.approx(1 / 5 / 10)


@pytest.mark.slow
def test_rows_are_trained_a_few_steps_and_leave_nothing(tmp_path):
    lines = []
    requests = [of("05", runs=tmp_path, images=640), of("timm:nothing", runs=tmp_path)]
    requests[1].settings.__dict__["source"] = requests[0].settings.source
    again = Request(settings=requests[0].settings, row="05", seed=1)
    seconds = seconds_of_runs(
        [requests[0], again, requests[1]], Machine(threads=1, workers=0), lines.append
    )
    assert set(seconds) == {requests[0].identity.spec} and not list(tmp_path.iterdir())
    assert len(lines) == 2 and "images/s" in lines[0]
    assert "timm:nothing: not measured: Problem: timm has no model 'nothing'" in lines[1]
    recipe = requests[0].spec.recipe
    speed = float(lines[0].split()[-2])
    assert seconds[requests[0].identity.spec] >= 0.9 * 640 * recipe.epochs / (speed + 1)
