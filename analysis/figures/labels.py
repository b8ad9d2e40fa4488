"""Labels beside marks, each where it covers least of what is there already."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from matplotlib.axes import Axes

from analysis.figures.layout import LETTER, short, type_of
from analysis.figures.style import FAINT, INK

LONGEST = 16  # letters
DISTANCES, ANGLES = (0.0, 4.0, 9.0), range(0, 360, 30)  # points, degrees
LEADER = {"arrowstyle": "-", "linewidth": 0.4, "color": FAINT, "shrinkA": 0, "shrinkB": 0}
FAR = 3.0  # square points covered that a point of distance is worth
Rectangle = tuple[float, float, float, float]  # left, low, right, high, in points


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark in a panel's own units; its radius in points, the reach of its error bar in y's."""

    label: str
    x: float
    y: float
    radius: float
    reach: float = 0.0


def label(axes: Axes, marks: Sequence[Mark]) -> None:
    """Write every mark's label, from the highest mark to the lowest; limits must be set before."""
    size, points = type_of(axes.figure) - 1, 72 / axes.figure.dpi
    taken = [box for mark in marks for box in _covers(axes, mark)]
    edges = tuple(points * each for each in axes.get_window_extent().extents)
    for mark in sorted(marks, key=lambda mark: -mark.y):
        text = short(mark.label, LONGEST)
        wide, tall = 72 * LETTER * size * max(len(text), 1), 1.1 * size
        x, y = _at(axes, mark.x, mark.y)
        own = _covers(axes, mark)[0]
        others = [box for box in taken if box != own]
        spots = {}  # what each place would cost, and how far off it is; of equal ones the first
        for more, angle in itertools.product(DISTANCES, ANGLES):
            spot = _spot(x, y, angle, mark.radius + 1.5 + more, wide, tall)
            found = _covered(spot, others) + _outside(spot, edges) + FAR * more
            spots.setdefault(round(found, 3), (spot, more))
        best, far = spots[min(spots)]
        taken.append(best)
        place = {
            "xy": (mark.x, mark.y), "textcoords": "offset points", "annotation_clip": False,
            "xytext": ((best[0] + best[2]) / 2 - x, (best[1] + best[3]) / 2 - y),
        }  # fmt: skip
        if far:
            axes.annotate("", arrowprops=LEADER, **place)
        axes.annotate(text, ha="center", va="center", fontsize=size, color=INK, zorder=5, **place)


def _at(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """A place in points from the sheet's corner."""
    return tuple(axes.transData.transform((x, y)) * 72 / axes.figure.dpi)


def _covers(axes: Axes, mark: Mark) -> list[Rectangle]:
    """What a mark covers: itself, and its error bar."""
    x, y = _at(axes, mark.x, mark.y)
    r, (_, low), (_, high) = (
        mark.radius,
        *(_at(axes, mark.x, mark.y + sign * mark.reach) for sign in (-1, 1)),
    )
    return [(x - r, y - r, x + r, y + r), (x - 0.5, low, x + 0.5, high)]


def _spot(x: float, y: float, angle: float, away: float, wide: float, tall: float) -> Rectangle:
    """A label's place at an angle from a point, its nearest side `away` from it."""
    dx, dy = numpy.cos(numpy.radians(angle)), numpy.sin(numpy.radians(angle))
    x, y = x + dx * (away + wide / 2), y + dy * (away + tall / 2)
    return x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2


def _covered(spot: Rectangle, others: Sequence[Rectangle]) -> float:
    """How much of other rectangles a place covers, in square points."""
    total = 0.0
    for left, low, right, high in others:
        wide = min(spot[2], right) - max(spot[0], left)
        tall = min(spot[3], high) - max(spot[1], low)
        total += max(wide, 0.0) * max(tall, 0.0)
    return total


def _outside(spot: Rectangle, edges: Rectangle) -> float:
    """How much of a place lies beyond the panel, in square points, weighed four times."""
    wide, tall = spot[2] - spot[0], spot[3] - spot[1]
    across = max(edges[0] - spot[0], 0.0) + max(spot[2] - edges[2], 0.0)
    along = max(edges[1] - spot[1], 0.0) + max(spot[3] - edges[3], 0.0)
    return 4 * (across * tall + along * wide)
