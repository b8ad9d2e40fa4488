"""Where things stand on a sheet of rows: labels by design group on the left, panels beside them.

Lengths are in inches, type in points, heights of rows in lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from analysis.figures.sheet.style import FAINT, GRID, INK, TYPE, WIDTHS, width_of

# From the left edge to the labels, above and below the panels, between panels; labels; a line.
EDGE, ABOVE, BELOW, GAP = 0.05, 0.42, 0.42, 0.12
LABELS = {"one-column": 1.47, "two-column": 1.8}
LINE = {"one-column": 0.135, "two-column": 0.17}
HEADER = 1.15  # the height of a group's label, in lines
NUMBER = 6  # letters of a number beside a title
LETTER = 0.0088  # the width of a letter, in inches per point


@dataclass(frozen=True)
class Lines:
    """Where everything stands, in lines from the top: rows, and the labels of groups."""

    rows: tuple[float, ...]
    groups: tuple[tuple[float, str], ...]
    height: float


@dataclass(frozen=True, kw_only=True)
class Label:
    """What stands to the left of a row; `missing` is faint."""

    number: str
    title: str
    missing: bool = False


def stacked(groups: Sequence[str]) -> Lines:
    """Rows in their order, each run of a design group under the group's label."""
    y, at, labels = 0.0, [], []
    for group, members in groupby(groups):
        labels.append((y + HEADER / 2, group))
        y += HEADER
        for _ in members:
            at.append(y + 0.5)
            y += 1
        y += 0.15
    return Lines(tuple(at), tuple(labels), max(y, 1.0))


def sheet(lines: Lines, width: str) -> Figure:
    """An empty figure for these rows; raises Problem for a width that is none."""
    return Figure(figsize=(width_of(width), ABOVE + lines.height * LINE[width] + BELOW))


def placed(figure: Figure, left: float, top: float, wide: float, tall: float) -> Axes:
    """Axes whose place is given in inches from the sheet's top left corner."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, 1 - (top + tall) / height, wide / width, tall / height))


def panel(figure: Figure, left: float, wide: float, lines: Lines, label: str) -> Axes:
    """A panel `left` inches from the edge: no box, light vertical lines, its label below."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes(
        (left / width, BELOW / height, wide / width, (height - ABOVE - BELOW) / height)
    )
    size = type_of(figure)
    axes.set_ylim(lines.height, 0)
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.5)
    axes.tick_params(axis="x", labelsize=size - 1, pad=2)
    axes.set_xlabel(label, fontsize=size, labelpad=2)
    return axes


def type_of(figure: Figure) -> float:
    """The size of type that goes with a figure's width."""
    wide = figure.get_figwidth()
    return next(TYPE[name] for name, inches in WIDTHS.items() if inches == wide)


def heading(
    figure: Figure, text: str, left: float, room: float | None = None, beside: str = ""
) -> None:
    """A title above a panel, made to fit `room` inches, by default to the sheet's edge.

    Up to a quarter smaller, beyond that cut; no larger than the title `beside` it would be.
    """
    width, height = figure.get_size_inches()
    size = type_of(figure) + 1.5
    text = " ".join(text.split())
    letters = (width - left if room is None else room) / (1.1 * LETTER * size)
    smaller = min(1.0, max(letters / max(len(text), len(beside), 1), 0.75))
    text, size = short(text, int(letters / smaller + 1e-6)), smaller * size
    figure.text(left / width, 1 - 0.08 / height, text, fontsize=size, weight="bold", va="top")


def labelled(axes: Axes, lines: Lines, labels: Sequence[Label], room: float) -> None:
    """Groups, numbers and titles to the left of a panel, in `room` inches.

    Titles without a number stand below those with one, or all at the left edge where one of them
    would not fit there.
    """
    wide, size = inches(axes), type_of(axes.figure)
    left, place = -room / wide, {"transform": axes.get_yaxis_transform(), "va": "center"}
    number = 0.052 * size / wide  # as wide as "08-k11"
    for y, group in lines.groups:
        axes.text(left, y, group, fontsize=size, weight="bold", **place)
    beside, whole = room - number * wide - GAP / 2, room - GAP / 2
    texts = [each.title if _numbered(each) else called(each.number, each.title) for each in labels]
    free = [not each.number or not _numbered(each) for each in labels]
    outwards = any(
        alone and length(text, size) > beside for text, alone in zip(texts, free, strict=True)
    )
    for y, label, text, alone in zip(lines.rows, labels, texts, free, strict=True):
        out = alone and outwards
        if _numbered(label):
            axes.text(left, y, label.number, fontsize=size - 1, color=FAINT, **place)
        title = fitting(text, size, whole if out else beside)
        axes.text(left + (0 if out else number), y, title, fontsize=size,
                  color=FAINT if label.missing else INK, **place)  # fmt: skip


def _numbered(label: Label) -> bool:
    """Whether the number stands beside the title, and not before it in one line."""
    return len(label.number) <= NUMBER


def called(number: str, title: str) -> str:
    """A row in one line: number and title; of a study's variants that are named so, the title."""
    word = re.match(r"[a-z]*", number)[0]
    return title if word and title.startswith(word) else f"{number} {title}".strip()


def length(text: str, size: float) -> float:
    """The width of a text in inches, in the figures' font."""
    font = FontProperties(family="DejaVu Sans", size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def fitting(text: str, size: float, room: float) -> str:
    """A text cut to a width in inches."""
    letters = len(text)
    while letters > 1 and length(short(text, letters), size) > room:
        letters -= 1
    return short(text, letters)


def short(text: str, letters: int) -> str:
    """A text cut to a number of letters."""
    return text if len(text) <= letters else text[: max(letters - 1, 1)] + "…"


def inches(axes: Axes) -> float:
    """The width of a panel."""
    return axes.get_position().width * axes.figure.get_figwidth()
