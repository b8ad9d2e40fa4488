"""The lines of a log and of progress name the main measure of the task."""

import dataclasses
from pathlib import Path

import pytest

from experiments.host.events import EpochDone, RunDone
from experiments.host.progress import _state
from roadmap.record import read_record

OLD = Path(__file__).parents[3] / "results" / "tiny" / "07-move_up_depthwise-seed0.json"


@pytest.mark.parametrize(
    ("numbers", "log", "bar"),
    [
        ({"top1": 71.25, "top5": 99.0}, ", top-1 71.25 %", " top-1 71.2 %"),
        ({"box_ap": 23.44, "mask_ap": 20.1}, ", box AP 23.44 %", " box AP 23.4 %"),
        ({"miou": 40.0}, ", mIoU 40.00 %", " mIoU 40.0 %"),
        ({}, "", ""),
    ],
)
def test_an_epoch_tells_the_main_measure(numbers, log, bar):
    metrics = {"train_loss": 1.5, "images_per_second": 90.0, **numbers}
    done = EpochDone(run="r", step=1, steps=2, epoch=1, epochs=5, metrics=metrics)
    assert done.line == f"epoch 1/5, train loss 1.500{log}, 90 images/s"
    assert _state(done) == f"epoch 1/5{bar}"


def test_a_finished_run_tells_the_main_measure():
    record = dataclasses.replace(read_record(OLD), images_per_second=90.0, wall_seconds=60.0)
    line = RunDone(run="r", record=record).line
    assert line == f"top-1 {record.top1:.2f} %, 90 images/s, 60 s"
    spec = {**record.spec, "recipe": {**record.spec["recipe"], "task": {"segmentation": "fpn"}}}
    other = dataclasses.replace(record, top1=None, spec=spec, metrics={"miou": 40.0})
    assert RunDone(run="r", record=other).line == "mIoU 40.00 %, 90 images/s, 60 s"
    lost = dataclasses.replace(other, status="diverged", metrics={})
    assert RunDone(run="r", record=lost).line == "diverged"
