"""Where things are on a sheet of rows: labels on the left, panels next to them.

Lengths are in inches, type in points, heights of rows in lines. A sheet has one block of rows, or
two with the same rows, one above the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.sheet.style import GRID, TYPE, WIDTHS, width_of
from analysis.figures.sheet.text import fitted, in_lines

# From the left edge to the labels, above and below the panels, between panels; labels; a line.
EDGE, ABOVE, BELOW, GAP = 0.05, 0.42, 0.42, 0.12
LABELS = {"one-column": 1.47, "two-column": 1.8}
LINE = {"one-column": 0.135, "two-column": 0.17}
HEADER = 1.15  # the height of a group's label, in lines
BOLD = 1.17  # how much wider bold type is, at most
LETTER = 0.0088  # the width of a letter, in inches per point


@dataclass(frozen=True)
class Lines:
    """Where everything is, in lines from the top: rows, and the labels of groups."""

    rows: tuple[float, ...]
    groups: tuple[tuple[float, str], ...]
    height: float


def stacked(groups: Sequence[str]) -> Lines:
    """Return rows in their order, each run of a design group under the label of the group."""
    y = 0.0
    rows: list[float] = []
    labels: list[tuple[float, str]] = []
    for group, members in groupby(groups):
        labels.append((y + HEADER / 2, group))
        y += HEADER
        for _ in members:
            rows.append(y + 0.5)
            y += 1
        y += 0.15
    return Lines(tuple(rows), tuple(labels), max(y, 1.0))


def sheet(lines: Lines, width: str, *, blocks: int = 1) -> Figure:
    """Return an empty figure for so many blocks of rows. Raises Problem for an unknown width."""
    wide = width_of(width)
    return Figure(figsize=(wide, blocks * (ABOVE + lines.height * LINE[width] + BELOW)))


def placed(figure: Figure, left: float, top: float, wide: float, tall: float) -> Axes:
    """Return axes whose place is given in inches from the top left corner of the sheet."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, 1 - (top + tall) / height, wide / width, tall / height))


def top_of(lines: Lines, figure: Figure, block: int) -> float:
    """Return inches from the top of a sheet to the top of a block of rows."""
    return block * (ABOVE + lines.height * LINE[width_name(figure)] + BELOW)


def panel(
    figure: Figure, left: float, wide: float, lines: Lines, label: str, *, block: int = 0
) -> Axes:
    """Return a panel `left` inches from the edge: no box, light vertical lines, its label below."""
    top, tall = top_of(lines, figure, block) + ABOVE, lines.height * LINE[width_name(figure)]
    axes = placed(figure, left, top, wide, tall)
    size = type_of(figure)
    axes.set_ylim(lines.height, 0)
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.5)
    axes.tick_params(axis="x", labelsize=size - 1, pad=2)
    axes.set_xlabel(label, fontsize=size, labelpad=2)
    return axes


def sheet_of(axes: Axes) -> Figure:
    """Return the sheet that a panel is on."""
    figure = axes.figure
    assert isinstance(figure, Figure)  # no sheet has subfigures
    return figure


def width_name(figure: Figure) -> str:
    """Return the name of the width of a figure."""
    wide = figure.get_figwidth()
    return next(name for name, inches in WIDTHS.items() if inches == wide)


def type_of(where: Figure | Axes) -> float:
    """Return the size of type that goes with the width of a figure."""
    return TYPE[width_name(sheet_of(where) if isinstance(where, Axes) else where)]


def inches(axes: Axes) -> float:
    """Return the width of a panel."""
    return axes.get_position().width * sheet_of(axes).get_figwidth()


def heading(
    figure: Figure, text: str, left: float, room: float | None = None, *, neighbour: str = "",
    top: float = 0.0,
) -> None:  # fmt: skip
    """Write a title above a panel so that it fits `room` inches, by default to the sheet's edge.

    If a title `neighbour` is given, both get the same size. A title that is too long for one line
    of small type has two.
    """
    width, height = figure.get_size_inches()
    room = (width - left - EDGE if room is None else room) / BOLD
    size = type_of(figure) + 1.5
    size = min(fitted(title, size, room)[1] for title in (text, neighbour))
    shown = in_lines(text, size, room)
    above = 0.08 if "\n" not in shown else 0.02
    figure.text(
        left / width, 1 - (top + above) / height, shown, fontsize=size, weight="bold", va="top",
        linespacing=1.0,
    )  # fmt: skip
