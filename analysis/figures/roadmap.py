"""The paper's Figure 2: accuracy and cost of every row of a roadmap, from top to bottom.

Rows stand in their order under the name of their design group, in its colour; side branches are
hatched.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.bars import PAPER, Bars, aligned, paper_bars, table_bars
from analysis.figures.panels import accuracy_panel, cost_panel
from analysis.figures.sheet.layout import (
    EDGE,
    GAP,
    LABELS,
    Label,
    Lines,
    heading,
    labelled,
    panel,
    sheet,
    stacked,
)
from analysis.figures.sheet.style import WIDTHS, Drawing, applied
from analysis.tables.table import Table


def draw(bars: Bars, *, title: str | None = None, width: str = "two-column") -> Figure:
    """One roadmap, for one column or two of a paper; raises Problem for another width."""
    lines = stacked([bar.group for bar in bars.bars])
    with applied():
        figure = sheet(lines, width)
        left = EDGE + LABELS[width]
        room = WIDTHS[width] - left - GAP - 0.06
        panels = _panels(figure, bars, lines, left, room, spread=width == "two-column")
        labelled(panels[0], lines, _labels(bars), LABELS[width])
        heading(figure, bars.title if title is None else title, EDGE)
    return figure


def side_by_side(left: Bars, right: Bars, *, titles: tuple[str, str] | None = None) -> Figure:
    """Two roadmaps with common labels, say the paper's and ours; each with axes of its own."""
    left, right = aligned(left, right)
    names = titles or (left.title, right.title)
    lines, labels = stacked([bar.group for bar in left.bars]), 1.75
    with applied():
        figure = sheet(lines, "two-column")
        room = (figure.get_figwidth() - EDGE - labels - 2 * GAP - 0.1) / 2 - GAP / 2
        for side, bars in enumerate((left, right)):
            start = EDGE + labels + side * (room + 2 * GAP)
            panels = _panels(figure, bars, lines, start, room, spread=False)
            if side == 0:
                labelled(panels[0], lines, _labels(_common(left, right)), labels)
            heading(figure, names[side], start, room + GAP, names[1 - side])
    return figure


def _common(left: Bars, right: Bars) -> Bars:
    """The bars whose labels serve both sides: known where one of them is."""
    pairs = zip(left.bars, right.bars, strict=True)
    shared = (one if one.top1 is not None else other for one, other in pairs)
    return replace(left, bars=tuple(shared))


def _labels(bars: Bars) -> list[Label]:
    return [
        Label(number=bar.number, title=bar.title, missing=bar.top1 is None) for bar in bars.bars
    ]


def _panels(
    figure: Figure, bars: Bars, lines: Lines, left: float, room: float, *, spread: bool
) -> tuple[Axes, Axes]:
    """Accuracy and cost beside one another."""
    share = 0.68 * room
    accuracies = panel(figure, left, share, lines, "top-1, %")
    costs = panel(figure, left + share + GAP, room - share, lines, "GMACs")
    accuracy_panel(accuracies, bars, lines, spread=spread)
    cost_panel(costs, bars, lines)
    return accuracies, costs


def roadmap_drawings(table: Table, paper: str | None) -> list[Drawing]:
    """The figure of a table, the paper's own, and where there is one both side by side."""
    ours = table_bars(table)
    own = Drawing(name="roadmap", caption=ours.caption, draw=partial(draw, ours))
    if paper is None:
        return [own]
    printed = paper_bars(paper)
    title = f"the paper: {printed.title}"
    theirs = Drawing(
        name=f"paper-{paper}",
        source=PAPER,
        caption=printed.caption,
        draw=partial(draw, printed, title=title),
    )
    both = Drawing(
        name="roadmap-beside-paper",
        caption=f"Left: {printed.caption}\n\nRight: {ours.caption}",
        draw=lambda width: side_by_side(printed, ours, titles=(title, ours.title)),
        widths=("two-column",),
    )
    return [own, theirs, both]
