"""Labels next to marks, each where it covers least of what is drawn already."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from matplotlib.axes import Axes

from analysis.figures.sheet.layout import sheet_of, type_of
from analysis.figures.sheet.style import FAINT, INK
from analysis.figures.sheet.text import length, short

LONGEST = 22  # letters
DISTANCES, ANGLES = (0.0, 4.0, 9.0, 16.0, 26.0), range(0, 360, 30)  # points, degrees
SWEEPS = 3  # how often every label looks for its place
POINTER = 4.0  # points between mark and label from which a line joins them
FAR = 2.0  # square points covered that a point of distance is worth
CLOSE = {"boxstyle": "square,pad=0", "facecolor": "none", "edgecolor": "none"}
Rectangle = tuple[float, float, float, float]  # left, low, right, high, in points


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark in the units of its panel; radius in points; reach of its error bar in y's units."""

    label: str
    x: float
    y: float
    radius: float
    reach: float = 0.0


def label(axes: Axes, marks: Sequence[Mark], line: Sequence[tuple[float, float]]) -> None:
    """Write the label of every mark; the limits of the panel must be set before.

    Labels find their places from the highest mark to the lowest, and look again when all others
    have theirs. `line` runs through the panel, in its units; labels keep clear of it too.
    """
    size = type_of(axes) - 1
    order = sorted((mark for mark in marks if mark.label), key=lambda mark: -mark.y)
    fixed = {mark: _covers(axes, mark) for mark in marks}
    along = _along(axes, line)
    places: dict[Mark, tuple[Rectangle, float]] = {}
    for mark in order * SWEEPS:
        others = [box for other, boxes in fixed.items() for box in boxes[other is mark :]]
        others += [spot for other, (spot, _) in places.items() if other is not mark]
        places[mark] = _best(axes, mark, numpy.array([*others, *along]).reshape(-1, 4), size)
    for mark, (spot, away) in places.items():
        _write(axes, mark, spot, away, size)


def _write(axes: Axes, mark: Mark, spot: Rectangle, away: float, size: float) -> None:
    """Write a label at its place, joined to its mark by a line if it is far away."""
    x, y = _at(axes, mark.x, mark.y)
    pointer: dict[str, Any] = {
        "arrowstyle": "-", "color": FAINT, "linewidth": 0.5, "shrinkA": 0, "shrinkB": mark.radius,
    }  # fmt: skip
    axes.annotate(
        short(mark.label, LONGEST), (mark.x, mark.y), textcoords="offset points",
        xytext=((spot[0] + spot[2]) / 2 - x, (spot[1] + spot[3]) / 2 - y),
        ha="center", va="center", fontsize=size, color=INK, zorder=5, annotation_clip=False,
        arrowprops=pointer if away >= POINTER else None, bbox=CLOSE,
    )  # fmt: skip


def _best(axes: Axes, mark: Mark, others: numpy.ndarray, size: float) -> tuple[Rectangle, float]:
    """Return the place for a label that costs least, and how far away it is."""
    wide, tall = 72 * length(short(mark.label, LONGEST), size), 1.1 * size
    x, y = _at(axes, mark.x, mark.y)
    left, low, right, high = numpy.array(axes.bbox.extents) * (72 / sheet_of(axes).dpi)
    costs: dict[float, tuple[Rectangle, float]] = {}
    for more, angle in itertools.product(DISTANCES, ANGLES):
        spot = _spot(x, y, angle, mark.radius + 1.5 + more, wide, tall)
        cost = _covered(spot, others) + _outside(spot, (left, low, right, high)) + FAR * more
        costs.setdefault(round(cost, 3), (spot, more))  # the first of equal ones
    return costs[min(costs)]


def _at(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Return a place in points from the corner of the sheet."""
    across, up = axes.transData.transform((x, y)) * 72 / sheet_of(axes).dpi
    return across, up


def _covers(axes: Axes, mark: Mark) -> list[Rectangle]:
    """Return what a mark covers: itself, and its error bar."""
    x, y = _at(axes, mark.x, mark.y)
    r = mark.radius
    (_, low), (_, high) = (_at(axes, mark.x, mark.y + sign * mark.reach) for sign in (-1, 1))
    return [(x - r, y - r, x + r, y + r), (x - 0.5, low, x + 0.5, high)]


def _along(axes: Axes, line: Sequence[tuple[float, float]]) -> list[Rectangle]:
    """Return small squares along a line, one every two points."""
    squares = []
    places = (_at(axes, x, y) for x, y in line)
    for (x, y), (next_x, next_y) in itertools.pairwise(places):
        steps = int(numpy.hypot(next_x - x, next_y - y) / 2) + 1
        for across, up in numpy.linspace((x, y), (next_x, next_y), steps):
            squares.append((across - 1, up - 1, across + 1, up + 1))
    return squares


def _spot(x: float, y: float, angle: float, away: float, wide: float, tall: float) -> Rectangle:
    """Return the place of a label at an angle from a point, its nearest side `away` from it."""
    dx, dy = numpy.cos(numpy.radians(angle)), numpy.sin(numpy.radians(angle))
    x, y = x + dx * (away + wide / 2), y + dy * (away + tall / 2)
    return x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2


def _covered(spot: Rectangle, others: numpy.ndarray) -> float:
    """Return how much of other rectangles (number, 4) a place covers, in square points."""
    wide = numpy.minimum(spot[2], others[:, 2]) - numpy.maximum(spot[0], others[:, 0])
    tall = numpy.minimum(spot[3], others[:, 3]) - numpy.maximum(spot[1], others[:, 1])
    return float((wide.clip(0) * tall.clip(0)).sum())


def _outside(spot: Rectangle, edges: Rectangle) -> float:
    """Return how much of a place is beyond the panel, in square points, weighted by four."""
    wide, tall = spot[2] - spot[0], spot[3] - spot[1]
    across = max(edges[0] - spot[0], 0.0) + max(spot[2] - edges[2], 0.0)
    along = max(edges[1] - spot[1], 0.0) + max(spot[3] - edges[3], 0.0)
    return 4 * (across * tall + along * wide)
