"""Trackers: the real packages, offline, while a run trains, and after it was interrupted."""

import csv
import dataclasses
import json
import time
from pathlib import Path

import pytest

from experiments.host.events import EpochDone, Message, StepDone
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.launch.launchers import run_all
from experiments.launch.run import train
from experiments.request import Request
from experiments.settings import Settings
from experiments.tracking import tracker
from experiments.tracking.names import TRACKERS, chosen_trackers
from experiments.training import reporting
from experiments.training.observers import OBSERVERS
from roadmap.errors import Problem
from roadmap.record import read_record

ROOT = Path(__file__).parents[3]


def job(images, runs, *trackers, row="13", epochs=2):
    overrides = {"recipe.epochs": epochs, "recipe.batch": 12, "recipe.image_size": 32}
    settings = Settings(roadmap="tiny", data=str(images), overrides=overrides, runs=runs)
    request = Request(settings=settings, row=row, seed=0)
    machine = Machine(threads=1, workers=0)
    return Job(request=request, machine=machine, trackers=trackers)


class Halted(Exception):
    """The run ends as if its process had been told to."""


def halted(asked, monkeypatch, check=lambda: None):
    """Train into the second epoch, then end; `check` looks at what was logged of the first."""
    monkeypatch.setattr(reporting, "SECONDS", 0.0)

    def observe(event):
        if isinstance(event, EpochDone):
            check()
        elif isinstance(event, StepDone) and event.step > 3:
            raise Halted

    with pytest.raises(Halted):
        train(asked, observe)


def csv_lines(runs):
    (path,) = runs.glob("logs/csv/*/*/*/metrics.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def events(runs):
    """The scalars of all event files of a run as TensorBoard shows them: (step, value) by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = runs.glob("logs/tensorboard/*/*/*")
    read = EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def epochs_of(lines):
    return [line for line in lines if line.get("top1")]


@pytest.mark.slow
def test_csv_is_live_and_a_resumed_run_has_every_epoch_once(images, tmp_path, monkeypatch):
    monkeypatch.setattr(tracker, "SECONDS", 0.0)
    asked = job(images, tmp_path, "csv")
    live = []
    halted(asked, monkeypatch, check=lambda: live.extend(epochs_of(csv_lines(tmp_path))))
    assert len(live) == 1
    record = train(asked)
    lines = csv_lines(tmp_path)
    told = [(int(float(line["epoch"])), float(line["top1"])) for line in epochs_of(lines)]
    assert told == [(row["epoch"] + 1, row["top1"]) for row in record.history]
    assert [int(line["step"]) for line in epochs_of(lines)] == [3, 6]
    assert any(line["step_loss"] for line in lines)
    (hparams,) = tmp_path.glob("logs/csv/tiny/13*/seed0-*/hparams.yaml")
    text = hparams.read_text()
    assert "outcome: finished" in text and f"final/top1: {record.top1}" in text
    for word in ("row: '13'", "study: path", "seed: '0'", f"macs: {record.macs}"):
        assert word in text, word
    assert "recipe.epochs: 2" in text and "network.stages.0.depth: 2" in text


@pytest.mark.slow
def test_tensorboard_shows_a_resumed_run_as_one(images, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    asked = job(images, tmp_path, "tensorboard")
    halted(asked, monkeypatch, check=lambda: events(tmp_path)["top1"][0])
    record = train(asked)
    seen = events(tmp_path)
    assert [step for step, _ in seen["top1"]] == [3, 6]
    values = [value for _, value in seen["top1"]]
    assert values == pytest.approx([row["top1"] for row in record.history])
    assert seen["final/top1"][-1][1] == pytest.approx(record.top1)
    assert {"loss", "train_loss", "images_per_second"} <= set(seen)


@pytest.mark.slow
def test_mlflow_resumes_the_same_run_and_runs_group_by_row(images, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    asked = job(images, tmp_path, "mlflow")
    halted(asked, monkeypatch)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'logs' / 'mlflow.db'}")
    found = client.get_experiment_by_name("tiny").experiment_id
    (run,) = client.search_runs([found])
    assert run.info.status == "FAILED"
    record = train(asked)
    (run,) = client.search_runs([found], filter_string="tags.row = '13'")
    assert run.info.status == "FINISHED"
    seen = [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, "top1")]
    assert seen == [(3 * number, row["top1"]) for number, row in enumerate(record.history, 1)]
    assert run.data.metrics["final/top1"] == record.top1
    assert run.data.params["recipe.epochs"] == "2" and run.data.params["macs"] == str(record.macs)
    assert run.data.tags["study"] == "path" and run.data.tags["seed"] == "0"


@pytest.mark.slow
def test_wandb_writes_offline_and_resumes_the_same_run(images, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    asked = job(images, tmp_path, "wandb")
    halted(asked, monkeypatch)
    record = train(asked)
    first, second = sorted(tmp_path.glob("logs/wandb/offline-run-*/*.wandb"))
    assert first.name == second.name  # the same run
    shown = [wait_for_wandb(path) for path in (first, second)]
    assert [history["top1"] for part in shown for history in part["history"]] == [
        row["top1"] for row in record.history
    ]
    assert shown[1]["summary"]["final/top1"] == record.top1
    assert shown[1]["config"]["row"] == "13" and shown[1]["config"]["recipe.epochs"] == 2
    assert shown[1]["group"].startswith("13 ") and "seed 0" in shown[1]["tags"]


def wandb_entries(path):
    """The entries of a file of an offline run: a log as LevelDB writes it, after 7 bytes."""
    data, at, entry = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # no header starts in the last bytes of a block
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        entry += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield entry
            entry = b""


def wait_for_wandb(path):
    """What a file holds once W&B's process has written all of it."""
    deadline = time.monotonic() + 60
    while not (found := read_wandb(path))["ended"] and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def read_wandb(path):
    """What a file of an offline run holds."""
    from wandb.proto import wandb_internal_pb2

    found = {"history": [], "summary": {}, "config": {}, "ended": False}
    for data in wandb_entries(path):
        entry = wandb_internal_pb2.Record()
        entry.ParseFromString(data)
        found["ended"] |= entry.HasField("exit")
        if entry.HasField("run"):
            found["group"], found["tags"] = entry.run.run_group, list(entry.run.tags)
        items = {
            "history": entry.history.item,
            "summary": entry.summary.update,
            "config": entry.config.update,
        }
        for kind, listed in items.items():
            named = {i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in listed}
            if kind == "history" and "top1" in named:
                found["history"].append(named)
            elif kind != "history":
                found[kind].update(named)
    return found


@pytest.mark.slow
def test_parallel_runs_log_side_by_side(images, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    requests = [job(images, tmp_path, row=row, epochs=1).request for row in ("00", "13")]
    machine = Machine(threads=1, workers=0, jobs=2)
    outcome = run_all(requests, parallel=2, machine=machine, command="", trackers=["csv,mlflow"])
    assert not outcome.failures
    rows = {path.parent.name[:2] for path in tmp_path.glob("logs/csv/tiny/*/seed0-*")}
    assert rows == {"00", "13"}
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'logs' / 'mlflow.db'}")
    found = client.get_experiment_by_name("tiny").experiment_id
    runs = client.search_runs([found])
    top1 = {run.data.tags["row"]: run.data.metrics["top1"] for run in runs}
    assert top1 == {record.label.row: record.top1 for record in outcome.records}


@pytest.mark.slow
def test_a_tracker_that_fails_does_not_stop_the_run(images, tmp_path, monkeypatch):
    def broken(_job):
        def fail(event):
            if isinstance(event, EpochDone):
                raise OSError("no space left")

        return fail

    monkeypatch.setitem(OBSERVERS, "csv", broken)
    seen = []
    record = train(job(images, tmp_path, "csv"), seen.append)
    texts = [event.text for event in seen if isinstance(event, Message)]
    assert record.status == "finished"
    assert texts.count("--log csv stopped (OSError: no space left); the run continues") == 1


def test_wrong_names_and_missing_packages_are_one_line(monkeypatch):
    assert chosen_trackers(["csv"]) == ("csv",)
    with pytest.raises(Problem, match="unknown tracker 'tensorbord'; did you mean 'tensorboard'"):
        chosen_trackers(["csv,tensorbord"])
    with pytest.raises(Problem, match="--log csv is given twice"):
        chosen_trackers(["csv", "csv"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Problem, match=r'tensorboard, which is not installed: pip install "mod'):
        chosen_trackers(["tensorboard"])


def test_every_tracker_is_an_extra_and_an_observer():
    setup = (ROOT / "setup.cfg").read_text()
    for name, needs in TRACKERS.items():
        assert name in OBSERVERS
        assert not needs.modules or f"\n{name} =\n" in setup


@pytest.mark.slow
def test_final_numbers_of_classes_have_names_that_mlflow_accepts():
    validation = pytest.importorskip("mlflow.utils.validation")
    path = Path(__file__).parents[3] / "results" / "tiny" / "07-move_up_depthwise-seed0.json"
    metrics = {"miou": 40.0, "iou:door;gate": 1.5, "iou:wall, brick": 2.5}
    record = dataclasses.replace(read_record(path), top1=None, top5=None, metrics=metrics)
    told = tracker._final(record)
    assert told["final/iou:door-gate"] == 1.5 and "final/top1" not in told
    for name in told:
        validation._validate_metric_name(name)
