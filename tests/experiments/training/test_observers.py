"""Observers: one that is added from outside, and what a log never does."""

import os

import pytest

from experiments.host.events import (
    EpochDone,
    Message,
    Preparing,
    RunDone,
    RunFailed,
    Started,
    StepDone,
)
from experiments.host.log import Log
from experiments.host.machine import Machine
from experiments.host.progress import Display
from experiments.job import Job
from experiments.launch.run import train
from experiments.request import Request
from experiments.settings import Settings
from experiments.training.observers import OBSERVERS
from roadmap.errors import escaped


def job(images, runs):
    overrides = {"recipe.epochs": 2, "recipe.batch": 12, "recipe.image_size": 32}
    settings = Settings(roadmap="tiny", data=str(images), overrides=overrides, runs=runs)
    request = Request(settings=settings, row="13", seed=0)
    return Job(request=request, machine=Machine(threads=1, workers=0))


class Tracker:
    """A tracker as a user would write one: a class that takes a job and then events."""

    made: list["Tracker"] = []  # noqa: RUF012 - so that the test finds it

    def __init__(self, job):
        self.job, self.events = job, []
        self.made.append(self)

    def __call__(self, event):
        self.events.append(event)


@pytest.mark.slow
def test_a_tracker_is_one_class_and_escaped(images, tmp_path, monkeypatch):
    monkeypatch.setitem(OBSERVERS, "tracker", Tracker)
    asked = job(images, tmp_path)
    record = train(asked)
    (tracker,) = Tracker.made
    assert tracker.job.request is asked.request
    kinds = [type(event) for event in tracker.events]
    assert {Preparing, Message, Started, StepDone, EpochDone, RunDone} == set(kinds)
    epochs = [event for event in tracker.events if isinstance(event, EpochDone)]
    assert [dict(event.metrics) for event in epochs] == record.history
    assert [(event.epoch, event.epochs, event.step, event.steps) for event in epochs] == [
        (1, 2, 3, 6),
        (2, 2, 6, 6),
    ]
    assert tracker.events[-1] == RunDone(run=asked.name, record=record)


FORGED = "no\n2026-01-01T00:00:00+00:00 epoch 3/3\x1b[2K\r\u2028\u202e[bold]"


def test_no_text_forges_a_line_of_a_log_or_of_the_display(tmp_path, capsys):
    log = Log(tmp_path / "log.txt")
    log(Message(run="run", text=FORGED))
    fault = ValueError(FORGED)
    log(RunFailed(run="run", reason=str(fault), error=fault))
    lines = (tmp_path / "log.txt").read_text().splitlines()
    starts = [line for line in lines if line.startswith("20")]
    assert len(starts) == 2 and all("epoch 3/3" in line for line in starts)
    assert all(line.startswith("    ") for line in lines if line not in starts)
    with Display() as display:
        display(Message(run=FORGED, text=FORGED))
        display(RunFailed(run="run", reason=FORGED, error=fault))
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == 2 and "\x1b" not in shown and shown.count("[bold]") == 3
    assert escaped("größer × → 小") == "größer × → 小"


@pytest.mark.slow
def test_nothing_is_written_through_planted_links(images, tmp_path):
    names = ("log.txt", "holder.txt", "machine.yaml", "metrics.jsonl", "lock", "last.partial")
    asked = job(images, tmp_path / "runs")
    asked.folder.mkdir(parents=True)
    for name in names:
        (tmp_path / name).write_text("precious")
        (asked.folder / name).symlink_to(tmp_path / name)
    (asked.folder / "record.json").symlink_to(tmp_path / "nowhere")
    train(asked)
    for name in names:
        assert (tmp_path / name).read_text() == "precious", name
        assert not (asked.folder / name).is_symlink(), name
    assert not (tmp_path / "nowhere").exists()
    assert not (asked.folder / "record.json").is_symlink()
    assert asked.request.finished() is not None


def test_a_log_that_is_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "log.txt")
    Log(tmp_path / "log.txt")(Message(run="run", text="hello"))
    assert (tmp_path / "log.txt").read_text().endswith("hello\n")
