"""Accuracy against what it costs: MACs, parameters, and measured training speed.

Bubbles are rows, as large as the network; the line is the Pareto front, the rows to which no other
is both more accurate and cheaper; diamonds are reference models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise, zip_longest
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from analysis.colours import colour
from analysis.figures.bars import PAPER
from analysis.figures.panels import NICE
from analysis.figures.points import (
    AREAS,
    CROWD,
    MEASURES,
    SIZES,
    Point,
    TradeOff,
    front,
    of_paper,
    of_table,
)
from analysis.figures.sheet.labels import Mark, label
from analysis.figures.sheet.layout import heading, inches, placed, type_of
from analysis.figures.sheet.style import FAINT, GRID, Drawing, applied, width_of
from analysis.tables.table import Table

# Inches: beside the first panel, heading, a line of the legend, sizes; below and between panels.
SIDE, HEADING, LINE, SIZE, BELOW, BETWEEN = 0.42, 0.3, 0.15, 0.22, 0.42, 0.14
TALL = {"one-column": 2.1, "two-column": 2.6}  # of a panel
COLUMNS = {"one-column": 3, "two-column": 5}  # of the legend
WIDE_RANGE = 3.0  # from which ratio on an axis of costs is logarithmic


def draw_trade_off(shown: TradeOff, *, width: str = "two-column") -> Figure:
    """A panel for each measure, side by side or below one another; a Problem for another width."""
    sheet = width_of(width)
    names, stacked = shown.shown, width == "one-column"
    down = max(len(names), 1) if stacked else 1
    handles = _groups(shown.points)
    above = HEADING + ceil(len(handles) / COLUMNS[width]) * LINE
    pitch = SIZE + TALL[width] + BELOW
    with applied():
        figure = Figure(figsize=(sheet, above + down * pitch))
        title = "accuracy and cost" if stacked else f"{shown.title}: accuracy and cost"
        heading(figure, title, 0.05)
        if not names:
            figure.text(0.5, 0.5, "no finished runs", color=FAINT, ha="center")
            return figure
        _legend(figure, handles, COLUMNS[width])
        room = (sheet - SIDE) / (1 if stacked else len(names))
        for place, name in enumerate(names):
            across, below = (0, place) if stacked else (place, 0)
            top = above + below * pitch + SIZE
            axes = _axes(figure, (SIDE + across * room, top), room - BETWEEN, TALL[width])
            axes.tick_params(labelleft=across == 0)
            _panel(axes, shown.points, name)
            if across == 0:
                axes.set_ylabel("top-1, %", fontsize=type_of(figure), labelpad=2)
    return figure


def _groups(points: Sequence[Point]) -> list[Line2D]:
    """A mark for every design group there is, for side branches, references and the front."""
    marks = []
    for group in dict.fromkeys(each.group for each in points if not each.is_reference):
        marks.append(_mark(group, markerfacecolor=colour(group), markeredgecolor="white"))
    if any(each.branch for each in points):
        marks.append(_mark("side branch", markerfacecolor="white", markeredgecolor=FAINT))
    if any(each.is_reference for each in points):
        marks.append(_mark("reference", marker="D", markersize=4.5, markeredgecolor="white",
                           markerfacecolor=colour("reference")))  # fmt: skip
    if points:
        marks.append(Line2D([], [], color=FAINT, linewidth=0.9, label="Pareto front"))
    return marks


def _mark(text: str, *, marker: str = "o", markersize: float = 6.0, **colours: str) -> Line2D:
    return Line2D([], [], linestyle="", marker=marker, markersize=markersize, label=text, **colours)


def _legend(figure: Figure, handles: Sequence[Line2D], columns: int) -> None:
    width, height = figure.get_size_inches()
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.05 / width, 1 - HEADING / height),
        ncols=columns, frameon=False, fontsize=type_of(figure) - 0.5, handlelength=1.2,
        handletextpad=0.4, columnspacing=1.2, labelspacing=0.3, borderpad=0, borderaxespad=0,
    )  # fmt: skip


def _axes(figure: Figure, corner: tuple[float, float], wide: float, tall: float) -> Axes:
    axes = placed(figure, *corner, wide, tall)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.5)
    axes.tick_params(labelsize=type_of(figure) - 1, pad=2)
    return axes


def _panel(axes: Axes, points: Sequence[Point], name: str) -> None:
    measure, size = MEASURES[name], type_of(axes.figure)
    known = [each for each in points if name in each.measures]
    xs = [each.measures[name] / measure.unit for each in known]
    _scale(axes, known, xs)
    axes.set_xlabel(measure.title, fontsize=size, labelpad=2)
    ahead = front(known, name)
    line = [(each.measures[name] / measure.unit, each.top1) for each in ahead]
    axes.plot(*zip(*line, strict=True), color=FAINT, linewidth=0.9, zorder=2,
              drawstyle="steps-post")  # fmt: skip
    areas = _areas(known, measure.size)
    for x, each, area in zip(xs, known, areas, strict=True):
        _bubble(axes, x, each, area)
    _sizes(axes, known, measure.size)
    few = len(points) <= CROWD
    marks = [
        Mark(label=each.label if few or each in ahead or each.is_reference else "",
             x=x, y=each.top1, radius=area**0.5 / 2, reach=each.std or 0.0)
        for x, each, area in zip(xs, known, areas, strict=True)
    ]  # fmt: skip
    corners = [(there, y) for (_, y), (there, _) in pairwise(line)]
    label(axes, marks, [each for two in zip_longest(line, corners) for each in two if each])


def _scale(axes: Axes, points: Sequence[Point], xs: Sequence[float]) -> None:
    """Limits with room for bubbles; costs over a wide range on a logarithmic axis."""
    low, high = min(xs), max(xs)
    if high > WIDE_RANGE * low > 0:
        axes.set_xscale("log")
        room = (high / low) ** 0.12
        axes.set_xlim(low / room, high * room)
        steps = [a * 10.0**b for b in range(-6, 7) for a in (1, 2, 5)]
        axes.set_xticks([each for each in steps if low / room <= each <= high * room])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.14 * ((high - low) or 0.2 * high or 1.0)
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(max(round(2 * inches(axes)), 3), steps=NICE))
    axes.xaxis.set_major_formatter("{x:g}")
    ends = [each.top1 + sign * (each.std or 0) for each in points for sign in (-1, 1)]
    room = 0.08 * ((max(ends) - min(ends)) or 1.0)
    axes.set_ylim(min(ends) - room, max(ends) + room)


def _areas(points: Sequence[Point], name: str) -> list[float]:
    """Areas of bubbles between AREAS, in proportion to a measure; the least where it is missing."""
    most = max((each.measures.get(name, 0.0) for each in points), default=0.0) or 1.0
    return [max(AREAS[1] * each.measures.get(name, 0.0) / most, AREAS[0]) for each in points]


def _bubble(axes: Axes, x: float, point: Point, area: float) -> None:
    """A point with its error bar; the smaller lie above the larger."""
    fill = colour(point.group)
    if point.std is not None:
        axes.errorbar(x, point.top1, yerr=point.std, color=fill, linewidth=0.8, zorder=2.5)
    axes.scatter(
        [x], [point.top1], s=area, marker="D" if point.is_reference else "o",
        facecolor="white" if point.branch else fill, edgecolor=fill if point.branch else "white",
        linewidth=1.0 if point.branch else 0.5, alpha=0.92, zorder=4 - area / AREAS[1],
    )  # fmt: skip


def _sizes(axes: Axes, points: Sequence[Point], name: str) -> None:
    """The smallest and the largest bubble with their measures, above the panel."""
    title, unit, letter = SIZES[name]
    known = [each for each in points if name in each.measures]
    ends = sorted(known, key=lambda each: each.measures[name])
    if not ends:
        return
    few = [ends[0], ends[-1]] if ends[0].measures[name] < ends[-1].measures[name] else ends[:1]
    areas = dict(zip((each.label for each in known), _areas(known, name), strict=True))
    handles = [
        _mark(f"{each.measures[name] / unit:.2g} {letter}", markersize=areas[each.label] ** 0.5,
              markerfacecolor=GRID, markeredgecolor="white")
        for each in few
    ]  # fmt: skip
    handles.insert(0, Line2D([], [], linestyle="", label=f"area: {title}"))
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False,
        fontsize=type_of(axes.figure) - 1, handlelength=2.0, handletextpad=0.1, columnspacing=0.4,
        borderpad=0, borderaxespad=0.3,
    )  # fmt: skip


def trade_off_drawings(table: Table, paper: str | None) -> list[Drawing]:
    """`trade-off`, and where the roadmap has one the paper's own, as `paper-trade-off-TABLE`."""
    ours = of_table(table)
    found = [_drawing("trade-off", ours)]
    if paper is None:
        return found
    theirs = _drawing(f"paper-trade-off-{paper}", of_paper(paper))
    return [*found, replace(theirs, source=PAPER)]


def _drawing(name: str, shown: TradeOff) -> Drawing:
    return Drawing(name=name, caption=shown.caption, draw=partial(draw_trade_off, shown))
