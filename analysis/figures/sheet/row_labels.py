"""Labels to the left of rows: group, number, title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from analysis.figures.sheet.layout import GAP, Lines, inches, sheet_of, type_of
from analysis.figures.sheet.style import FAINT, INK
from analysis.figures.sheet.text import (
    SMALLEST,
    called,
    fitted,
    fitting_size,
    in_lines,
    length,
    one_line,
)

HINTED = 0.93  # of the room: on a screen, small type is wider than it measures
NUMBER = 6  # letters of a number that has a column of its own


@dataclass(frozen=True, kw_only=True)
class Label:
    """The label of a row; the one of a `missing` row is faint."""

    number: str
    title: str
    missing: bool = False

    @property
    def has_column(self) -> bool:
        """Whether the number is in a column of its own, not before the title."""
        return len(self.number) <= NUMBER

    @property
    def text(self) -> str:
        """The title, with the number if that has no column."""
        return self.title if self.has_column else called(self.number, self.title)


def labelled(axes: Axes, lines: Lines, labels: Sequence[Label], room: float) -> None:
    """Write groups, numbers and titles to the left of a panel, in `room` inches.

    Titles without a number are below those with one, or all at the left edge if one of them does
    not fit there. All titles have the size at which the longest fits. A title that is too long for
    one line of small type has two.
    """
    wide, size = inches(axes), type_of(axes)
    left = -room / wide
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
    number = 0.052 * size  # inches, as wide as "08-k11"
    for y, group in lines.groups:
        shown, smaller = fitted(group, size, 0.85 * sheet_of(axes).get_figwidth())
        axes.text(left, y, shown, fontsize=smaller, weight="bold", **place)
    narrow, whole = room - number - GAP / 2, room - GAP / 2
    free = [not (label.number and label.has_column) for label in labels]
    outwards = any(
        alone and length(one_line(label.text), size) > narrow
        for label, alone in zip(labels, free, strict=True)
    )
    rooms = [whole if alone and outwards else narrow for alone in free]
    fits = [
        length(one_line(label.text), SMALLEST * size) <= HINTED * space
        for label, space in zip(labels, rooms, strict=True)
    ]
    texts = [label.text if fit else "" for label, fit in zip(labels, fits, strict=True)]
    sizes = [HINTED * space for space in rooms]
    common, smallest = fitting_size(texts, sizes, size), SMALLEST * size
    for y, label, space, fit in zip(lines.rows, labels, rooms, fits, strict=True):
        shown, size = (
            (one_line(label.text), common) if fit else _two_lines(label.text, smallest, space)
        )
        if label.has_column:
            axes.text(left, y, one_line(label.number), fontsize=common - 1, color=FAINT, **place)
        axes.text(
            left + (0 if space == whole else number / wide), y, shown, fontsize=size,
            color=FAINT if label.missing else INK, linespacing=1.0, **place,
        )  # fmt: skip


def _two_lines(text: str, size: float, room: float) -> tuple[str, float]:
    """Return a text in two lines, and the size at which it fits, not below 0.8 of `size`."""
    for share in (1.0, 0.9, 0.8):
        shown = in_lines(text, share * size, HINTED * room)
        if "…" not in shown:
            break
    return shown, share * size
