"""A measure against what it costs: MACs, parameters, and measured training speed.

Bubbles are rows, as large as the network. The line is the Pareto front: no other row is both better
and cheaper than these. Diamonds are reference models.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise, zip_longest
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from analysis.colours import colour
from analysis.figures.panels import NICE
from analysis.figures.paper import paper_points
from analysis.figures.points import AREAS, CROWD, Point, TradeOff, table_points
from analysis.figures.sheet.labels import Mark, label
from analysis.figures.sheet.layout import heading, inches, placed, type_of
from analysis.figures.sheet.legend import dot, legend
from analysis.figures.sheet.style import FAINT, GRID, Drawing, applied, width_of
from analysis.figures.sheet.units import axis_title
from analysis.subject import Subject

# Inches: left of the first panel, heading, a line of the legend, sizes; below and between panels.
SIDE, HEADING, LINE, SIZE, BELOW, BETWEEN = 0.42, 0.3, 0.15, 0.22, 0.42, 0.14
TALL = {"one-column": 2.1, "two-column": 2.6}  # of a panel
COLUMNS = {"one-column": 3, "two-column": 5}  # of the legend
WIDE_RANGE = 3.0  # ratio from which an axis of costs is logarithmic


def draw_trade_off(shown: TradeOff, *, width: str = "two-column") -> Figure:
    """Draw a panel for each cost, in one column one below the other.

    Raises Problem for an unknown width.
    """
    wide, keys, narrow = width_of(width), list(shown.axes), width == "one-column"
    handles = _groups(shown.points)
    above = HEADING + ceil(len(handles) / COLUMNS[width]) * LINE
    pitch = SIZE + TALL[width] + BELOW
    with applied():
        figure = Figure(figsize=(wide, above + (len(keys) if narrow else 1) * pitch))
        what = f"{shown.measure.label} and cost"
        heading(figure, what if narrow else f"{shown.title}: {what}", 0.05)
        legend(figure, handles, 0.05, HEADING, columns=COLUMNS[width])
        room = (wide - SIDE) / (1 if narrow else len(keys))
        for place, key in enumerate(keys):
            across, down = (0, place) if narrow else (place, 0)
            top = above + down * pitch + SIZE
            axes = placed(figure, SIDE + across * room, top, room - BETWEEN, TALL[width])
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(color=GRID, linewidth=0.5)
            axes.tick_params(labelsize=type_of(figure) - 1, pad=2, labelleft=across == 0)
            _panel(axes, shown, key)
            if across == 0:
                title = axis_title(shown.measure)
                axes.set_ylabel(title, fontsize=type_of(figure), labelpad=2)
    return figure


def _groups(points: Sequence[Point]) -> list[Line2D]:
    """Return a mark for every design group, for side branches, references and the front."""
    groups = dict.fromkeys(point.group for point in points if not point.is_reference)
    marks = [dot(group, fill=colour(group), edge="white") for group in groups]
    if any(point.branch for point in points):
        marks.append(dot("side branch", fill="white", edge=FAINT))
    if any(point.is_reference for point in points):
        marks.append(dot("reference", fill=colour("reference"), edge="white", size=4.5, marker="D"))
    marks.append(Line2D([], [], color=FAINT, linewidth=0.9, label="Pareto front"))
    return marks


def _panel(axes: Axes, shown: TradeOff, key: str) -> None:
    axis = shown.axes[key]
    known = [point for point in shown.points if key in point.costs]
    xs = [point.costs[key] / axis.unit for point in known]
    _scale(axes, known, xs)
    axes.set_xlabel(axis.title, fontsize=type_of(axes), labelpad=2)
    ahead = shown.front(key)
    line = [(point.costs[key] / axis.unit, point.value) for point in ahead]
    axes.plot(
        *zip(*line, strict=True), color=FAINT, linewidth=0.9, zorder=2, drawstyle="steps-post"
    )
    areas = _areas(known, axis.size)
    for x, point, area in zip(xs, known, areas, strict=True):
        _bubble(axes, x, point, area)
    _sizes(axes, shown, known, axis.size)
    few = len(shown.points) <= CROWD
    marks = [
        Mark(label=point.label if few or point in ahead or point.is_reference else "",
             x=x, y=point.value, radius=area**0.5 / 2, reach=point.std or 0.0)
        for x, point, area in zip(xs, known, areas, strict=True)
    ]  # fmt: skip
    corners = [(there, y) for (_, y), (there, _) in pairwise(line)]
    label(axes, marks, [place for two in zip_longest(line, corners) for place in two if place])


def _scale(axes: Axes, points: Sequence[Point], xs: Sequence[float]) -> None:
    """Set limits with room for bubbles; costs over a wide range have a logarithmic axis."""
    low, high = min(xs), max(xs)
    if high > WIDE_RANGE * low > 0:
        axes.set_xscale("log")
        room = (high / low) ** 0.12
        axes.set_xlim(low / room, high * room)
        ticks = [a * 10.0**b for b in range(-6, 7) for a in (1, 2, 5)]
        axes.set_xticks([tick for tick in ticks if low / room <= tick <= high * room])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.14 * ((high - low) or 0.2 * high or 1.0)
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(max(round(2 * inches(axes)), 3), steps=NICE))
    axes.xaxis.set_major_formatter("{x:g}")
    ends = [point.value + sign * (point.std or 0) for point in points for sign in (-1, 1)]
    room = 0.08 * ((max(ends) - min(ends)) or 1.0)
    axes.set_ylim(min(ends) - room, max(ends) + room)


def _areas(points: Sequence[Point], key: str) -> list[float]:
    """Return areas in proportion to a cost, within AREAS; the least if the cost is missing."""
    most = max((point.costs.get(key, 0.0) for point in points), default=0.0) or 1.0
    return [max(AREAS[1] * point.costs.get(key, 0.0) / most, AREAS[0]) for point in points]


def _bubble(axes: Axes, x: float, point: Point, area: float) -> None:
    """Draw a point with its error bar; smaller ones are above larger ones."""
    fill = colour(point.group)
    if point.std is not None:
        axes.errorbar(x, point.value, yerr=point.std, color=fill, linewidth=0.8, zorder=2.5)
    axes.scatter(
        [x], [point.value], s=area, marker="D" if point.is_reference else "o",
        facecolor="white" if point.branch else fill, edgecolor=fill if point.branch else "white",
        linewidth=1.0 if point.branch else 0.5, alpha=0.92, zorder=4 - area / AREAS[1],
    )  # fmt: skip


def _sizes(axes: Axes, shown: TradeOff, points: Sequence[Point], key: str) -> None:
    """Show the smallest and the largest bubble with their costs, above the panel."""
    areas = dict(zip((p.costs.get(key) for p in points), _areas(points, key), strict=True))
    known = [cost for cost in areas if cost is not None]
    if not known:
        return
    title = {"params": "parameters", "macs": "MACs"}[key]
    handles = [Line2D([], [], linestyle="", label=f"area: {title}")]
    sizes = {shown.size(key, cost): areas[cost] ** 0.5 for cost in (min(known), max(known))}
    handles += [dot(text, fill=GRID, edge="white", size=size) for text, size in sizes.items()]
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False,
        fontsize=type_of(axes) - 1, handlelength=2.0, handletextpad=0.1, columnspacing=0.4,
        borderpad=0, borderaxespad=0.3,
    )  # fmt: skip


def trade_off_drawings(subject: Subject) -> list[Drawing]:
    """Return `trade-off` if there are runs, and the paper's own if there is a paper."""
    ours = table_points(subject.table)
    drawings = [_drawing("trade-off", ours)] if ours.points else []
    if subject.paper is not None and (paper := subject.paper.base.paper) is not None:
        points = paper_points(subject.paper.base)
        drawings.append(_drawing(f"paper-trade-off-{paper.name}", points, source=paper.paper))
    return drawings


def _drawing(name: str, shown: TradeOff, source: str = "") -> Drawing:
    return Drawing(
        name=name,
        summary=shown.summary,
        details=shown.details,
        source=source,
        draw=partial(draw_trade_off, shown),
    )
