"""The paper's Figure 2: a measure and the cost of every row of a roadmap, from top to bottom.

Rows are in their order under the name of their design group, in its colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure

from analysis.figures.bars import Bar, Bars, aligned, table_bars
from analysis.figures.panels import cost_panel, value_panel
from analysis.figures.paper import paper_bars
from analysis.figures.sheet.layout import (
    EDGE,
    GAP,
    LABELS,
    Lines,
    heading,
    panel,
    sheet,
    stacked,
    top_of,
    width_name,
)
from analysis.figures.sheet.row_labels import Label, labelled
from analysis.figures.sheet.style import Drawing, applied
from analysis.subject import Subject

SHARED = 1.75  # inches for labels that serve two sides


def draw(bars: Bars, *, title: str | None = None, width: str = "two-column") -> Figure:
    """Draw one roadmap. Raises Problem for an unknown width."""
    lines = stacked([bar.group for bar in bars.bars])
    with applied():
        figure = sheet(lines, width)
        _whole(figure, bars, lines, title or bars.title, spread=width == "two-column")
    return figure


def side_by_side(left: Bars, right: Bars, *, titles: tuple[str, str], width: str) -> Figure:
    """Draw two roadmaps with the same rows; in one column, one above the other.

    Each side has axes of its own. Raises Problem for an unknown width.
    """
    left, right = aligned(left, right)
    lines = stacked([bar.group for bar in left.bars])
    with applied():
        if width == "one-column":
            figure = sheet(lines, width, blocks=2)
            for block, bars in enumerate((left, right)):
                _whole(figure, bars, lines, titles[block], spread=False, block=block)
            return figure
        figure = sheet(lines, width)
        room = (figure.get_figwidth() - EDGE - SHARED - 2 * GAP - 0.1) / 2 - GAP / 2
        pairs = zip(left.bars, right.bars, strict=True)
        labels = [_label(one if one.value is not None else other) for one, other in pairs]
        for side, bars in enumerate((left, right)):
            start = EDGE + SHARED + side * (room + 2 * GAP)
            _panels(figure, bars, lines, start, room, labels=() if side else labels)
            heading(figure, titles[side], start, room, neighbour=titles[1 - side])
    return figure


def _whole(
    figure: Figure, bars: Bars, lines: Lines, title: str, *, spread: bool, block: int = 0
) -> None:
    """Draw labels, panels and title of one roadmap over the whole width of a sheet."""
    left = EDGE + LABELS[width_name(figure)]
    room = figure.get_figwidth() - left - GAP - 0.06
    labels = [_label(bar) for bar in bars.bars]
    _panels(figure, bars, lines, left, room, labels=labels, spread=spread, block=block)
    heading(figure, title, EDGE, top=top_of(lines, figure, block))


def _label(bar: Bar) -> Label:
    return Label(number=bar.number, title=bar.title, missing=bar.value is None)


def _panels(
    figure: Figure, bars: Bars, lines: Lines, left: float, room: float, *,
    labels: Sequence[Label], spread: bool = False, block: int = 0,
) -> None:  # fmt: skip
    """Draw measure and cost next to each other; cost alone if no row has a value."""
    share = 0.68 * room if bars.ends else 0.0
    first = None
    if bars.ends:
        first = panel(figure, left, share, lines, "", block=block)
        value_panel(first, bars, lines, spread=spread)
        share += GAP
    costs = panel(figure, left + share, room - share, lines, "", block=block)
    cost_panel(costs, bars, lines)
    if labels:
        labelled(first or costs, lines, labels, left - EDGE)


def roadmap_drawings(subject: Subject) -> list[Drawing]:
    """Return the roadmap's figure, the paper's own, and both side by side if there is a paper."""
    ours = table_bars(subject.table)
    own = Drawing(
        name="roadmap", summary=ours.summary, details=ours.details, draw=partial(draw, ours)
    )
    if subject.paper is None or subject.paper.base.paper is None:
        return [own]
    paper, printed = subject.paper.base.paper, paper_bars(subject.paper.base)
    title = f"the paper: {printed.title}"
    theirs = Drawing(
        name=f"paper-{paper.name}",
        source=paper.paper,
        summary=printed.summary,
        details=printed.details,
        draw=partial(draw, printed, title=title),
    )
    if not ours.ends:
        return [own, theirs]
    both = Drawing(
        name="roadmap-beside-paper",
        summary=f"Left (above in one column): {printed.summary}\n\nRight (below): {ours.summary}",
        details=f"\n\nLeft: {printed.details}\n\nRight: {ours.details}",
        draw=partial(side_by_side, printed, ours, titles=(title, ours.title)),
        compares=True,
    )
    return [own, theirs, both]
