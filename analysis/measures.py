"""Measures: the number by which runs are compared. Each task has its default.

A new measure is one entry in MEASURES. A number in `Record.metrics` is a measure without an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from roadmap.errors import Problem, quoted, unknown
from roadmap.record import Record
from roadmap.tasks import MEASURE, TASKS, TaskName


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number of a finished run.

    `key` names it on the command line and in files, `label` in tables and figures, `phrase` in
    running text (the label if empty). `read` returns the number of a record, or None. `difference`
    is the unit of a difference of two numbers. `of_images` says that it is the percentage of
    validation images that are right, so that `Record.correct` has its result for each image;
    `in_paper` says that the paper's tables print it. `scores` returns the result of each image, as
    `Evaluation.scores` has them, for a measure by `roadmap evaluate` or of another task. `tasks`
    are those whose runs have the number.
    """

    key: str
    label: str
    read: Callable[[Record], float | None]
    phrase: str = ""
    unit: str = ""
    difference: str = ""
    better: Literal["higher", "lower"] = "higher"
    decimals: int = 1
    of_images: bool = False
    in_paper: bool = False
    scores: Callable[[Record], str] | None = None
    tasks: tuple[TaskName, ...] = TASKS

    @property
    def title(self) -> str:
        """Label and unit, as in `top-1 %`."""
        return f"{self.label} {self.unit}".strip()

    @property
    def words(self) -> str:
        """The name in running text, as in `top-1 accuracy`."""
        return self.phrase or self.label

    @property
    def is_percentage(self) -> bool:
        """Whether a study's margin, in percentage points, applies to its differences."""
        return self.unit == "%"

    def is_gain(self, difference: float) -> bool:
        """Tell whether a difference is an improvement."""
        return difference > 0 if self.better == "higher" else difference < 0

    def values(self, runs: Iterable[Record]) -> list[float]:
        """Return the numbers of the finished runs that have one."""
        numbers = (self.read(run) for run in runs if run.status == "finished")
        return [number for number in numbers if number is not None]


def _metric(record: Record, *, key: str) -> float | None:
    return record.metrics.get(key)


def _scores(record: Record, *, key: str) -> str:
    evaluation = record.evaluations.get(key)
    return evaluation.scores if evaluation else ""


def _of_split(key: str, label: str, task: TaskName, *, phrase: str = "") -> Measure:
    """Return a percentage of a whole split, which records have with a score of each image."""
    return Measure(
        key=key,
        label=label,
        phrase=phrase,
        unit="%",
        difference="points",
        read=partial(_metric, key=key),
        scores=partial(_scores, key=key),
        tasks=(task,),
    )


def _of_objects(kind: str) -> tuple[Measure, ...]:
    """Return COCO's average precisions of boxes or masks."""
    words = f"average precision of {'boxes' if kind == 'box' else 'masks'}"
    shown = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ap_small": "AP, small objects",
             "ap_medium": "AP, medium objects", "ap_large": "AP, large objects"}  # fmt: skip
    return tuple(
        _of_split(
            f"{kind}_{name}",
            f"{kind} {label}",
            "detection",
            phrase=words if name == "ap" else "",
        )
        for name, label in shown.items()
    )


_LISTED = (
    Measure(
        key="top1",
        label="top-1",
        phrase="top-1 accuracy",
        unit="%",
        difference="points",
        of_images=True,
        in_paper=True,
        read=lambda record: record.top1,
        tasks=("classification",),
    ),
    Measure(
        key="top5",
        label="top-5",
        phrase="top-5 accuracy",
        unit="%",
        difference="points",
        read=lambda record: record.top5,
        tasks=("classification",),
    ),
    *_of_objects("box"),
    *_of_objects("mask"),
    _of_split("miou", "mIoU", "segmentation", phrase="mean IoU of classes"),
    _of_split("pixel_accuracy", "pixel accuracy", "segmentation"),
    Measure(key="loss", label="loss", better="lower", decimals=3, read=lambda record: record.loss),
    Measure(
        key="images_per_second",
        label="training speed",
        unit="images/s",
        difference="images/s",
        decimals=0,
        read=lambda record: record.images_per_second,
    ),
)
BY_CLASS = ("recall:", "iou:")  # measures of one class each
MEASURES = {measure.key: measure for measure in _LISTED}
TOP1 = MEASURES["top1"]


def main_measure(task: TaskName) -> Measure:
    """Return the measure by which runs of a task are compared unless another one is named."""
    return MEASURES[MEASURE[task]]


def find_measure(
    key: str | None, records: Sequence[Record] = (), task: TaskName = "classification"
) -> Measure:
    """Return the measure of that key: one of MEASURES, or a number in the records' `metrics`.

    None stands for the main measure of the task. Raises Problem naming the valid keys, and for a
    number that was measured in different ways.
    """
    if key is None:
        return main_measure(task)
    if key in MEASURES and task in MEASURES[key].tasks:
        return MEASURES[key]
    records = [record for record in records if record.task == task]
    metrics = sorted({name for record in records for name in record.metrics} - set(MEASURES))
    if key not in metrics:
        shown = [name for name in metrics if not name.startswith(BY_CLASS)]
        by_class = [
            f"{kind}CLASS" for kind in BY_CLASS if any(name.startswith(kind) for name in metrics)
        ]
        own = [one.key for one in MEASURES.values() if task in one.tasks]
        if key in MEASURES:
            told = ", ".join([*own, *shown, *by_class])
            raise Problem(
                f"measure {quoted(key)} is of {MEASURES[key].tasks[0]}; the rows are trained for "
                f"{task}, valid: {told}"
            )
        raise unknown("measure", key, [*own, *shown, *by_class])
    evaluated = [record for record in records if key in record.evaluations]
    if not evaluated:
        words = key.replace("_", " ")
        return Measure(key=key, label=words, read=partial(_metric, key=key), decimals=3)
    return _evaluated(key, evaluated)


def _evaluated(key: str, records: Sequence[Record]) -> Measure:
    """Return the measure that `roadmap evaluate` wrote.

    Raises Problem if runs of one roadmap on one data set were measured in different ways.
    """
    first = records[0].evaluations[key]
    alike: dict[tuple[str, str], Record] = {}
    for record in records:
        before = alike.setdefault((record.label.roadmap, record.identity.data), record)
        if record.evaluations[key].way != before.evaluations[key].way:
            one, other = (f"{r.label.row} seed {r.identity.seed}" for r in (before, record))
            raise Problem(
                f"measure {quoted(key)} was measured on other data, in another way or by other "
                f"code in {one} than in {other}; `roadmap evaluate` measures all rows again"
            )
    units = {"%": "points"}
    return Measure(
        key=key,
        label=first.label,
        unit=first.unit,
        difference=units.get(first.unit, first.unit),
        better=first.better,
        decimals=first.decimals,
        read=partial(_metric, key=key),
        scores=partial(_scores, key=key) if first.scores else None,
    )
