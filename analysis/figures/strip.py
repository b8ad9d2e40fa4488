"""The blocks of all rows side by side, what is new in each marked: the roadmap as pictures."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.colours import colour
from analysis.figures.boxes import Scale, canvas, column, height, line, plus
from analysis.figures.diagram import BlockDiagram, diagram
from analysis.figures.sheet.layout import LETTER, heading
from analysis.figures.sheet.style import FAINT, Drawing, applied, width_of
from roadmap.rows import Roadmap, Row
from roadmap.text import difference

COLUMNS = {"one-column": 3, "two-column": 6}
EDGE, ABOVE, HEAD, WORDS, APART = 0.05, 0.3, 0.22, 0.1, 0.12  # inches; WORDS is a line of them
NOTES = 4  # lines at most for what changed outside the block
ENDS = 0.34  # above and below a block's boxes
SCALE = Scale(tall=0.22, flat=0.115, gap=0.06, size=5.5, groups=False)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A row's share of the strip: its title and what changed outside its block, in lines."""

    row: Row
    block: BlockDiagram
    title: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, row: Row, letters: int) -> Cell:
        """The cell of a row, of the first block in which anything is new, else the first.

        Raises Problem where no layer fits.
        """
        blocks = diagram(row).blocks
        shown = next((each for each in blocks if each.is_new), blocks[0])
        others = [each.where for each in blocks if each is not shown and each.is_new]
        words = [f"block of {shown.where}"] if len(blocks) > 1 else []
        words += [f"also new: {', '.join(others)}"] if others else []
        notes = [
            line for each in (*words, *_outside(row)) for line in textwrap.wrap(each, letters + 3)
        ]
        return cls(
            row=row,
            block=shown,
            title=tuple(textwrap.wrap(row.title, letters)[:2]),
            notes=tuple(notes if len(notes) <= NOTES else [*notes[: NOTES - 1], "…"]),
        )

    @property
    def words(self) -> float:
        """How tall number, title and notes are."""
        return HEAD + (len(self.title) + len(self.notes)) * WORDS


def draw_strip(roadmap: Roadmap, *, width: str = "two-column") -> Figure:
    """Every row's block; raises Problem for another width."""
    sheet, across = width_of(width), COLUMNS[width]
    room = (sheet - EDGE) / across
    cells = [Cell.of(row, int((room - 0.08) / (LETTER * SCALE.size))) for row in roadmap]
    lines = [cells[start : start + across] for start in range(0, len(cells), across)]
    talls = [_words(cells) + max(_tall(cell.block) for cell in cells) for cells in lines]
    with applied():
        figure = Figure(figsize=(sheet, ABOVE + sum(talls)))
        axes, top = canvas(figure), ABOVE
        heading(figure, f"{roadmap.title}: every block", EDGE)
        for cells, tall in zip(lines, talls, strict=True):
            for place, cell in enumerate(cells):
                left = EDGE + place * room
                _label(axes, cell, left, top, room)
                _block(axes, cell, left + 0.42 * room, top + _words(cells), room)
            top += tall
    return figure


def _words(cells: list[Cell]) -> float:
    return max(cell.words for cell in cells)


def _tall(block: BlockDiagram) -> float:
    return ENDS + height((*block.branch, *block.after), SCALE) + APART


def _label(axes: Axes, cell: Cell, left: float, top: float, room: float) -> None:
    """A row's number and title under a line in its colour, what changed outside its block."""
    size, ink = SCALE.size, colour(cell.row.group)
    axes.plot([left, left + room - 0.08], [top, top], color=ink, linewidth=1.6)
    axes.text(left, top + 0.1, cell.row.number, fontsize=size + 1, weight="bold", va="center")
    top += HEAD
    for number, text in enumerate(cell.title):
        axes.text(left, top + number * WORDS, text, fontsize=size, va="center")
    top += len(cell.title) * WORDS
    for number, text in enumerate(cell.notes):
        axes.text(left, top + number * WORDS, text, fontsize=0.88 * size, color=FAINT,
                  va="center")  # fmt: skip


def _outside(row: Row) -> list[str]:
    """What is new outside the block, in words; of the recipe, in how many fields."""
    if row.before is None:
        return []
    found = [line[2:] for line in difference(row.before.spec, row.spec) if line[0] == "+"]
    recipe = sum(line.startswith("recipe.") for line in found)
    return [
        *([f"recipe: {recipe} fields"] if recipe else []),
        *(line for line in found if not line.startswith(("recipe.", "block"))),
    ]


def _block(axes: Axes, cell: Cell, middle: float, top: float, room: float) -> None:
    """The branch with the residual path on its right, their sum, and what comes after."""
    wide, ink = 0.8 * room, colour(cell.row.group)
    fork, side = top + 0.04, middle + wide / 2 + 0.05
    line(axes, [(middle, top), (middle, fork + SCALE.gap)])
    end = column(axes, cell.block.branch, middle, fork, wide, ink, SCALE)
    sum_at = end + 0.1
    line(axes, [(middle, end), (middle, sum_at)])
    line(axes, [(middle, fork), (side, fork), (side, sum_at), (middle, sum_at)])
    if cell.block.shortcut:
        words = ", ".join(box.text for box in cell.block.shortcut)
        axes.text(side + 0.03, (fork + sum_at) / 2, words, fontsize=0.88 * SCALE.size,
                  rotation=90, va="center", ha="left")  # fmt: skip
    plus(axes, middle, sum_at)
    line(axes, [(middle, sum_at), (middle, sum_at + 0.1)])
    end = column(axes, cell.block.after, middle, sum_at + 0.1, 0.7 * wide, ink, SCALE)
    line(axes, [(middle, end), (middle, end + 0.05)], arrow=True)


def strip_drawing(roadmap: Roadmap) -> Drawing:
    """The strip, as `blocks`."""
    last = roadmap.rows[-1].spec
    caption = (
        f"{roadmap.title}: the residual block of every row, for images of "
        f"{last.recipe.image_size} pixels. Drawn from the specs; nothing was trained. Boxes are "
        "convolutions with kernel and channels in → out, wider where more channels come out; "
        "below them lie their norm and activation. Thick outline: new against the row it starts "
        "from; dashed: gone; grey words: what changed outside the block."
    )
    return Drawing(name="blocks", caption=caption, draw=partial(draw_strip, roadmap))
