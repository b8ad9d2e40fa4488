"""Measures: the number by which runs are compared, top-1 by default.

A new measure is one entry in MEASURES. A number in `Record.metrics` is a measure without an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from roadmap.errors import unknown
from roadmap.record import Record


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number of a finished run.

    `key` names it on the command line and in files, `label` in tables and figures, `phrase` in
    running text (the label if empty). `read` returns the number of a record, or None. `difference`
    is the unit of a difference of two numbers. `of_images` says that it is the percentage of
    validation images that are right, so that `Record.correct` has its result for each image;
    `in_paper` says that the paper's tables print it.
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
MEASURES = {measure.key: measure for measure in _LISTED}
TOP1 = MEASURES["top1"]


def find_measure(key: str, records: Sequence[Record] = ()) -> Measure:
    """Return the measure of that key: one of MEASURES, or a number in the records' `metrics`.

    Raises Problem naming the valid keys.
    """
    if key in MEASURES:
        return MEASURES[key]
    metrics = sorted({name for record in records for name in record.metrics})
    if key not in metrics:
        raise unknown("measure", key, [*MEASURES, *metrics])
    return Measure(key=key, label=key.replace("_", " "), read=partial(_metric, key=key), decimals=3)
