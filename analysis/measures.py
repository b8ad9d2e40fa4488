"""Measures: the number by which runs are compared, top-1 by default.

A new measure is one entry in MEASURES. A number in `Record.metrics` is a measure without an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from roadmap.errors import Problem, quoted, unknown
from roadmap.record import Record


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number of a finished run.

    `key` names it on the command line and in files, `label` in tables and figures, `phrase` in
    running text (the label if empty). `read` returns the number of a record, or None. `difference`
    is the unit of a difference of two numbers. `of_images` says that it is the percentage of
    validation images that are right, so that `Record.correct` has its result for each image;
    `in_paper` says that the paper's tables print it. `scores` returns the result of each image, as
    `Evaluation.scores` has them, for a measure by `roadmap evaluate`.
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
    ),
    Measure(
        key="top5",
        label="top-5",
        phrase="top-5 accuracy",
        unit="%",
        difference="points",
        read=lambda record: record.top5,
    ),
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
BY_CLASS = "recall:"  # measures of one class each
MEASURES = {measure.key: measure for measure in _LISTED}
TOP1 = MEASURES["top1"]


def find_measure(key: str, records: Sequence[Record] = ()) -> Measure:
    """Return the measure of that key: one of MEASURES, or a number in the records' `metrics`.

    Raises Problem naming the valid keys, and for a number that was measured in different ways.
    """
    if key in MEASURES:
        return MEASURES[key]
    metrics = sorted({name for record in records for name in record.metrics})
    if key not in metrics:
        shown = [name for name in metrics if not name.startswith(BY_CLASS)]
        by_class = [f"{BY_CLASS}CLASS"] if len(shown) < len(metrics) else []
        raise unknown("measure", key, [*MEASURES, *shown, *by_class])
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
