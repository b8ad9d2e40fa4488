"""Units of the axes: of a measure, and of multiply-accumulates."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from analysis.measures import Measure

GIGA, MEGA = ("GMACs", 1e9), ("MMACs", 1e6)
SMALL = 0.1e9  # networks below this are drawn in MMACs


def mac_unit(macs: Iterable[float]) -> tuple[str, float]:
    """Return name and size of the unit in which most of these networks have a number above 0.1."""
    counts = list(macs)
    return MEGA if counts and median(counts) < SMALL else GIGA


def axis_title(measure: Measure) -> str:
    """Return the label of an axis, as in `top-1, %`."""
    return f"{measure.label}, {measure.unit}" if measure.unit else measure.label


def difference_title(measure: Measure) -> str:
    """Return the label of an axis of differences, as in `difference, points of top-1`."""
    if measure.difference == "points":
        return f"difference, points of {measure.label}"
    unit = f", {measure.difference}" if measure.difference else ""
    return f"difference in {measure.label}{unit}"
