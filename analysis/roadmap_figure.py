"""The paper's Figure 2: accuracy and cost of every row of a roadmap, from top to bottom.

Rows stand in their order under the name of their design group, in its colour; side branches are
hatched. Lengths are in inches, type in points.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.bars import Bar, Bars, aligned, paper_bars, table_bars
from analysis.panels import Lines, accuracy_panel, cost_panel, inches, short
from analysis.style import FAINT, INK, TYPE, WIDTHS, applied, save
from analysis.table import Table
from roadmap.errors import unknown

__all__ = [
    "Bar",
    "Bars",
    "draw",
    "paper_bars",
    "save",
    "side_by_side",
    "table_bars",
    "write_figures",
]

# From the left edge to the labels, above and below the panels, between panels; labels; a line.
EDGE, ABOVE, BELOW, GAP = 0.05, 0.42, 0.42, 0.12
LABELS = {"one-column": 1.47, "two-column": 1.8}
LINE = {"one-column": 0.135, "two-column": 0.17}
HEADER = 1.15  # the height of a group's label, in lines
TITLE = 25  # letters of a title that fit beside its number


def draw(bars: Bars, *, title: str | None = None, width: str = "two-column") -> Figure:
    """One roadmap, for one column or two of a paper; raises Problem for another width."""
    if width not in WIDTHS:
        raise unknown("width", width, WIDTHS)
    lines, size, left = _lines(bars.bars), TYPE[width], EDGE + LABELS[width]
    room = WIDTHS[width] - left - GAP - 0.06
    with applied():
        figure, height = _figure(lines, width)
        panels = _panels(figure, left, room, height)
        _labels(panels[0], bars, lines, size, LABELS[width])
        accuracy_panel(panels[0], bars, lines, size, spread=width == "two-column")
        cost_panel(panels[1], bars, lines, size)
        _heading(figure, bars.title if title is None else title, EDGE, height, size)
    return figure


def side_by_side(left: Bars, right: Bars, *, titles: tuple[str, str] | None = None) -> Figure:
    """Two roadmaps with common labels, say the paper's and ours; each with axes of its own."""
    width, size = "two-column", TYPE["two-column"] - 0.5
    left, right = aligned(left, right)
    lines, labels = _lines(left.bars), 1.75
    room = (WIDTHS[width] - EDGE - labels - 2 * GAP - 0.1) / 2 - GAP / 2
    with applied():
        figure, height = _figure(lines, width)
        for side, bars in enumerate((left, right)):
            start = EDGE + labels + side * (room + 2 * GAP)
            panels = _panels(figure, start, room, height)
            if side == 0:
                _labels(panels[0], _common(left, right), lines, size, labels)
            accuracy_panel(panels[0], bars, lines, size, spread=False)
            cost_panel(panels[1], bars, lines, size)
            _heading(figure, titles[side] if titles else bars.title, start, height, size)
    return figure


def _common(left: Bars, right: Bars) -> Bars:
    """The bars whose labels serve both sides: known where one of them is."""
    pairs = zip(left.bars, right.bars, strict=True)
    shared = (one if one.top1 is not None else other for one, other in pairs)
    return replace(left, bars=tuple(shared))


def _lines(bars: tuple[Bar, ...]) -> Lines:
    y, at, groups = 0.0, [], []
    for group, members in groupby(bars, key=lambda bar: bar.group):
        groups.append((y + HEADER / 2, group))
        y += HEADER
        for _ in members:
            at.append(y + 0.5)
            y += 1
        y += 0.15
    return Lines(tuple(at), tuple(groups), y)


def _figure(lines: Lines, width: str) -> tuple[Figure, float]:
    height = ABOVE + lines.height * LINE[width] + BELOW
    return Figure(figsize=(WIDTHS[width], height)), height


def _panels(figure: Figure, left: float, room: float, height: float) -> tuple[Axes, Axes]:
    """The axes of accuracy and of cost beside one another, placed in inches."""
    width, tall = figure.get_figwidth(), (height - ABOVE - BELOW) / height
    share = 0.68 * room
    places = ((left, share), (left + share + GAP, room - share))
    return tuple(
        figure.add_axes((x / width, BELOW / height, wide / width, tall)) for x, wide in places
    )


def _heading(figure: Figure, text: str, left: float, height: float, size: float) -> None:
    place = (left / figure.get_figwidth(), 1 - 0.08 / height)
    figure.text(*place, text, fontsize=size + 1.5, weight="bold", va="top")


def _labels(axes: Axes, bars: Bars, lines: Lines, size: float, room: float) -> None:
    """Groups, numbers and titles to the left of a panel."""
    panel = inches(axes)
    left, place = -room / panel, {"transform": axes.get_yaxis_transform(), "va": "center"}
    number = 0.052 * size / panel  # as wide as "08-k11"
    for y, group in lines.groups:
        axes.text(left, y, group, fontsize=size, weight="bold", **place)
    for y, bar in zip(lines.bars, bars.bars, strict=True):
        ink = FAINT if bar.top1 is None else INK
        wide = bar.is_reference and len(bar.title) > TITLE
        title = short(bar.title, TITLE + 5 if wide else TITLE)
        axes.text(left, y, bar.number, fontsize=size - 1, color=FAINT, **place)
        axes.text(left + (0 if wide else number), y, title, fontsize=size, color=ink, **place)


def write_figures(table: Table, folder: Path, paper: str | None) -> list[Path]:
    """The figure of a table, the paper's own, and where there is one both side by side."""
    ours = table_bars(table)
    files = save(draw(ours), folder, "roadmap", ours.caption)
    if paper is None:
        return files
    printed = paper_bars(paper)
    files += save(
        draw(printed, title=f"the paper: {printed.title}"),
        folder,
        f"paper-{paper}",
        printed.caption,
    )
    both = side_by_side(printed, ours, titles=(f"the paper: {printed.title}", ours.title))
    caption = f"Left: {printed.caption}\n\nRight: {ours.caption}"
    return files + save(both, folder, "roadmap-beside-paper", caption)
