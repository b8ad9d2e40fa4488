"""Records built by hand: invented runs of the tiny roadmap, a few seconds for no training."""

from __future__ import annotations

import dataclasses

import numpy
import pytest

from roadmap.evaluation import Evaluation, pack_scores
from roadmap.override import OF_CLASSIFICATION
from roadmap.record import Identity, Label, Provenance, Record
from roadmap.rows import TaskOf
from roadmap.spec import Recipe, Reference, Spec, fingerprint, from_dict, to_dict
from roadmap.tasks import MEASURE, Detection, Segmentation
from steps.roadmaps.load import Roadmap, load_roadmap

# Invented top-1 (percent) by row, and the spread of three seeds.
TOP1 = {
    "00": (78.9, 0.8), "01": (71.2, 1.3), "02": (74.0, 0.9), "03": (66.1, 1.9), "04": (51.6, 2.0),
    "05": (58.3, 1.6), "06": (60.2, 1.1), "07": (57.7, 0.7), "08": (63.9, 1.4),
    "08-k5": (61.0, 1.0), "08-k9": (64.2, 0.6), "08-k11": (63.1, 1.8), "09": (65.5, 0.9),
    "10": (87.3, 0.5), "11": (88.4, 0.4), "12": (91.7, 0.3), "13": (95.0, 0.2),
}  # fmt: skip


@pytest.fixture(scope="session")
def tiny() -> Roadmap:
    return load_roadmap("tiny")


@pytest.fixture(scope="session")
def resnet50() -> Roadmap:
    return load_roadmap("resnet50")


def record(roadmap, number, seed=0, top1=80.0, *, data="fractals", version="d1", **changes):
    """One run of a row. Keywords: spec, label_row, status, hardware, threads, torch, speed."""
    row = roadmap[number]
    return _record(
        changes.pop("spec", row.spec),
        Label(
            roadmap=roadmap.name, row=changes.pop("label_row", row.number), step=row.step,
            title=row.title, group=row.group,
        ),
        seed, top1, data, version, **changes,
    )  # fmt: skip


def reference(roadmap, name="swin_tiny", seed=0, top1=90.0, *, data="fractals", **changes):
    """One run of a timm model with the last row's recipe, or with `recipe`."""
    recipe: Recipe = changes.pop("recipe", roadmap.rows[-1].spec.recipe)
    row = f"timm:{name}"
    label = Label(roadmap=roadmap.name, row=row, step="reference", title=row, group="reference")
    spec = Spec(network=Reference(timm=name, classes=40), recipe=recipe)
    return _record(spec, label, seed, top1, data, "d1", **changes)


def _record(
    spec, label, seed, top1, data, version, *,
    status="finished", hardware="two cores", threads=2, torch="2.9.1", speed=900.0,
):  # fmt: skip
    return Record(
        identity=Identity(
            spec=spec.fingerprint, network=fingerprint(spec.network),
            recipe=fingerprint(spec.recipe), data=version, seed=seed,
        ),
        label=label, status=status, top1=top1, top5=99.0, loss=1.0,
        macs=360_000_000, params=1_300_000, activations=1000,
        images_per_second=speed, wall_seconds=60.0,
        data={"name": data, "classes": 40, "train": 10_000, "val": 2_000},
        spec=to_dict(spec), history=[],
        provenance=Provenance(
            command="invented", started="2026-01-01T00:00:00Z", finished="2026-01-01T00:01:00Z",
            commit="0000000", hardware=hardware, threads=threads, versions={"torch": torch},
        ),
    )  # fmt: skip


def study(roadmap, seeds=3, *, without=()):
    """Invented runs of every row but `without`, spread as TOP1 says."""
    offsets = {1: (0.0,), 2: (-0.7071, 0.7071), 3: (-1.0, 0.0, 1.0)}[seeds]
    return [
        record(roadmap, number, seed, mean + spread * offset)
        for number, (mean, spread) in TOP1.items()
        if number not in without
        for seed, offset in enumerate(offsets)
    ]


TASKS = {
    "detection": Detection(detection="mask_rcnn", short_sides=(96,), long_side=160),
    "segmentation": Segmentation(segmentation="fpn", short_side=96, channels=32),
}
IMAGES = 300


def for_task(roadmap, name):
    """The rows of a roadmap trained for another task, as `--task` makes them."""
    known = to_dict(roadmap.rows[-1].spec.recipe)
    recipe = from_dict(
        Recipe, {key: known[key] for key in known if key not in OF_CLASSIFICATION}
    )  # without what only a classifier uses
    recipe = dataclasses.replace(recipe, task=TASKS[name], interpolation="bilinear")
    task = TaskOf(name=name, recipe=recipe, data="fractal-scenes", margin=1.0)
    return dataclasses.replace(roadmap, tasks={name: task}).for_task(name)


def task_record(roadmap, number, seed=0, value=20.0, *, own=0.1, **changes):
    """One run of a row of another task: its main measure, and pseudo-values around it.

    Images have what is alike in all runs, what is the row's, and noise of standard deviation `own`,
    as a share.
    """
    images = numpy.random.default_rng(0).normal(0, 0.5, IMAGES)
    images += numpy.random.default_rng([*number.encode()]).normal(0, 0.2, IMAGES)
    noise = numpy.random.default_rng([seed, *number.encode()]).normal(0, own, IMAGES)
    scores = images + noise
    scores += value / 100 - scores.mean()
    made = record(roadmap, number, seed, None, data="fractal-scenes", **changes)
    key = MEASURE[made.task]
    keys = {key: value, "mask_ap" if key == "box_ap" else "pixel_accuracy": value - 2}
    evaluations = {
        key: Evaluation(
            label=key, unit="%", data="d1", data_name="fractal-scenes", images=IMAGES,
            image_size=96, crop=1.0, scores=pack_scores(scores.tolist()),
        )
        for key in keys
    }  # fmt: skip
    return dataclasses.replace(
        made, top5=None, metrics=keys | {f"train_{key}": value + 5}, evaluations=evaluations,
        data=made.data | {"classes": 40, "val": IMAGES},
        history=[
            {"epoch": float(epoch), "train_loss": 2 - epoch / 5, key: value * (epoch + 1) / 5}
            for epoch in range(5)
        ],
    )  # fmt: skip


def task_study(roadmap, seeds=3):
    """Runs of every row: a third of the invented top-1, which spreads as much."""
    return [
        task_record(roadmap, number, seed, mean / 3 + spread * offset / 3)
        for number, (mean, spread) in TOP1.items()
        for seed, offset in enumerate((-1.0, 0.0, 1.0)[:seeds])
    ]


@dataclasses.dataclass(frozen=True)
class Invented:
    """The makers of records, as one fixture."""

    for_task = staticmethod(for_task)
    task_record = staticmethod(task_record)
    task_study = staticmethod(task_study)

    record = staticmethod(record)
    reference = staticmethod(reference)
    study = staticmethod(study)
    top1 = TOP1


@pytest.fixture(scope="session")
def invented() -> Invented:
    return Invented()
