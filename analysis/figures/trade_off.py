"""Accuracy against what it costs: MACs, parameters, and measured training speed.

Bubbles are rows, as large as the network; the line is the Pareto front, the rows to which no other
is both more accurate and cheaper; diamonds are reference models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from analysis.cells import notes, span
from analysis.colours import colour
from analysis.figures.bars import PAPER, paper_bars
from analysis.figures.labels import Mark, label
from analysis.figures.layout import heading, inches, type_of
from analysis.figures.style import FAINT, GRID, WIDTHS, Drawing, applied
from analysis.selection import REFERENCE
from analysis.table import Table, sentences
from roadmap.cost import cost
from roadmap.errors import unknown
from steps.roadmaps import load_roadmap

SIDE, ABOVE, BELOW, BETWEEN = 0.42, 0.34, 0.42, 0.14  # inches
TALL = {"one-column": 2.1, "two-column": 2.6}  # of a panel
AREAS = (14.0, 110.0)  # of the smallest and the largest bubble, in square points
CROWD = 30  # points from which on only those of the front, and references, are named
WIDE_RANGE = 3.0  # from which ratio on an axis of costs is logarithmic


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What accuracy is set against; `size` is the other measure that bubbles show."""

    title: str
    unit: float
    size: str
    more_is_better: bool = False


MEASURES = {
    "macs": Measure(title="GMACs", unit=1e9, size="params"),
    "params": Measure(title="parameters, M", unit=1e6, size="macs"),
    "speed": Measure(title="training images/s", unit=1.0, size="params", more_is_better=True),
}
SIZES = {"params": ("parameters", 1e6, "M"), "macs": ("MACs", 1e9, "G")}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One row or reference: top-1 and its standard deviation in percent, and its measures."""

    label: str
    group: str
    top1: float
    std: float | None
    measures: Mapping[str, float]
    branch: bool = False

    @property
    def is_reference(self) -> bool:
        """Whether it is a model that is no row."""
        return self.group == "reference"


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """The points of one figure, its title, and what its caption says of them."""

    title: str
    points: tuple[Point, ...]
    caption: str

    @property
    def shown(self) -> list[str]:
        """The measures that any point has."""
        return [name for name in MEASURES if any(name in each.measures for each in self.points)]


def front(points: Sequence[Point], name: str) -> list[Point]:
    """The points to which none is both cheaper and more accurate, the cheapest first.

    Of points that are equal in both the first counts.
    """
    sign = -1 if MEASURES[name].more_is_better else 1
    known = [each for each in points if name in each.measures]
    found: list[Point] = []
    for each in sorted(known, key=lambda each: (sign * each.measures[name], -each.top1)):
        if not found or each.top1 > found[-1].top1:
            found.append(each)
    return found


def draw_trade_off(shown: TradeOff, *, width: str = "two-column") -> Figure:
    """A panel for each measure, side by side or below one another; a Problem for another width."""
    if width not in WIDTHS:
        raise unknown("width", width, WIDTHS)
    names, stacked = shown.shown, width == "one-column"
    down = max(len(names), 1) if stacked else 1
    with applied():
        figure = Figure(figsize=(WIDTHS[width], ABOVE + down * (TALL[width] + BELOW)))
        title = "accuracy and cost" if stacked else f"{shown.title}: accuracy and cost"
        heading(figure, title, 0.05)
        if not names:
            figure.text(0.5, 0.5, "no finished runs", color=FAINT, ha="center")
        room = (WIDTHS[width] - SIDE) / (1 if stacked else max(len(names), 1))
        for place, name in enumerate(names):
            across, below = (0, place) if stacked else (place, 0)
            top = ABOVE + below * (TALL[width] + BELOW)
            axes = _axes(figure, (SIDE + across * room, top), room - BETWEEN, TALL[width])
            axes.tick_params(labelleft=across == 0)
            _panel(axes, shown.points, name)
            if across == 0:
                axes.set_ylabel("top-1, %", fontsize=type_of(figure), labelpad=2)
    return figure


def _axes(figure: Figure, corner: tuple[float, float], wide: float, tall: float) -> Axes:
    width, height = figure.get_size_inches()
    left, top = corner
    axes = figure.add_axes((left / width, 1 - (top + tall) / height, wide / width, tall / height))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.5)
    axes.tick_params(labelsize=type_of(figure) - 1, pad=2)
    return axes


def _panel(axes: Axes, points: Sequence[Point], name: str) -> None:
    measure, size = MEASURES[name], type_of(axes.figure)
    known = [each for each in points if name in each.measures]
    xs = [each.measures[name] / measure.unit for each in known]
    _scale(axes, known, xs)
    axes.set_xlabel(f"{measure.title} (area: {SIZES[measure.size][0]})", fontsize=size, labelpad=2)
    ahead = front(known, name)
    axes.plot([each.measures[name] / measure.unit for each in ahead],
              [each.top1 for each in ahead], color=FAINT, linewidth=0.9, zorder=2,
              drawstyle="steps-post")  # fmt: skip
    areas = _areas(known, measure.size)
    for x, each, area in zip(xs, known, areas, strict=True):
        _bubble(axes, x, each, area)
    marks = [
        Mark(label=each.label, x=x, y=each.top1, radius=area**0.5 / 2, reach=each.std or 0.0)
        for x, each, area in zip(xs, known, areas, strict=True)
    ]
    if len(marks) > CROWD:
        named = {id(each) for each in ahead} | {id(each) for each in known if each.is_reference}
        marks = [mark for mark, each in zip(marks, known, strict=True) if id(each) in named]
    label(axes, marks)


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
        axes.xaxis.set_major_locator(MaxNLocator(max(round(2 * inches(axes)), 3)))
    axes.xaxis.set_major_formatter("{x:g}")
    ends = [each.top1 + sign * (each.std or 0) for each in points for sign in (-1, 1)]
    room = 0.08 * ((max(ends) - min(ends)) or 1.0)
    axes.set_ylim(min(ends) - room, max(ends) + room)


def _areas(points: Sequence[Point], name: str) -> list[float]:
    """Areas of bubbles between AREAS, in proportion to a measure; the least where it is missing."""
    most = max((each.measures.get(name, 0.0) for each in points), default=0.0) or 1.0
    return [max(AREAS[1] * each.measures.get(name, 0.0) / most, AREAS[0]) for each in points]


def _bubble(axes: Axes, x: float, point: Point, area: float) -> None:
    fill = colour(point.group)
    if point.std is not None:
        axes.errorbar(x, point.top1, yerr=point.std, color=fill, linewidth=0.8, zorder=2.5)
    axes.scatter(
        [x], [point.top1], s=area, marker="D" if point.is_reference else "o", zorder=3,
        facecolor="white" if point.branch else fill, edgecolor=fill if point.branch else "white",
        linewidth=1.0 if point.branch else 0.5, alpha=0.92,
    )  # fmt: skip


def of_table(table: Table) -> TradeOff:
    """The trade-off of our own runs."""
    points = [
        Point(
            label=row.row.removeprefix(REFERENCE),
            group=row.group,
            top1=row.top1,
            std=row.std,
            measures={"macs": row.gmacs * 1e9, "params": float(row.params)}
            | ({"speed": row.images_per_second} if row.images_per_second else {}),
            branch=row.branch,
        )
        for row in table.rows
        if row.top1 is not None
    ]
    missing = [row.row for row in table.rows if row.top1 is None]
    data = (table.data or "no data yet") + (f" ({table.sizes})" if table.sizes else "")
    n = span(row.n for row in table.rows if row.top1 is not None)
    parts = [
        f"{table.title}: top-1 accuracy on {data} against multiply-accumulates and parameters, "
        "counted, and training images per second, the median of what was measured, whatever else "
        f"the machine did; our own runs, last epoch. n = {n}.",
        _legend(points),
        f"Without finished runs: {', '.join(missing)}." if missing else "",
        f"Recipe: {table.recipe}." if table.recipe else "",
        sentences(notes(table)),
    ]
    return TradeOff(title=table.title, points=tuple(points), caption=" ".join(filter(None, parts)))


def of_paper(name: str) -> TradeOff:
    """The trade-off of the paper's printed accuracies and GFLOPs, with our count of parameters."""
    printed, path = paper_bars(name), load_roadmap(name)
    params = {row.number: cost(row.spec.network, 224).params for row in path}
    points = tuple(
        Point(
            label=bar.number or bar.title,
            group=bar.group,
            top1=bar.top1,
            std=bar.std,
            measures={"macs": bar.gmacs * 1e9}
            | ({"params": float(params[bar.number])} if bar.number in params else {}),
            branch=bar.branch,
        )
        for bar in printed.bars
        if bar.top1 is not None and bar.gmacs is not None
    )
    n = span(bar.n for bar in printed.bars)
    caption = (
        f"{printed.title}: top-1 accuracy on {printed.data} against multiply-accumulates, both "
        f"printed in {PAPER}, and parameters, counted from our specs. n = {n}. "
        f"{_legend(points)} Recipe: {printed.recipe}. {sentences(printed.notes)}"
    )
    return TradeOff(title=f"the paper: {printed.title}", points=points, caption=caption)


def _legend(points: Sequence[Point]) -> str:
    sizes = [
        f"{title} ({min(found) / unit:.2g} {letter} to {max(found) / unit:.2g} {letter})"
        for name, (title, unit, letter) in SIZES.items()
        if (found := [each.measures[name] for each in points if name in each.measures])
    ]
    parts = [
        f"Areas of bubbles: {' or '.join(sizes)}." if sizes else "",
        "Line: Pareto front.",
        "Hollow: side branches." if any(each.branch for each in points) else "",
        "Diamonds: reference models." if any(each.is_reference for each in points) else "",
        "Error bars: one standard deviation over runs."
        if any(each.std is not None for each in points)
        else "",
        "Named: the front alone." if len(points) > CROWD else "",
    ]
    return " ".join(part for part in parts if part)


def trade_off_drawings(table: Table, paper: str | None) -> list[Drawing]:
    """`trade-off`, and where the roadmap has one the paper's own, as `paper-trade-off-TABLE`."""
    ours = of_table(table)
    found = [_drawing("trade-off", ours)]
    if paper is None:
        return found
    theirs = _drawing(f"paper-trade-off-{paper}", of_paper(paper))
    return [*found, replace(theirs, source=PAPER)]


def _drawing(name: str, shown: TradeOff) -> Drawing:
    return Drawing(
        name=name, caption=shown.caption, draw=lambda width: draw_trade_off(shown, width=width)
    )
