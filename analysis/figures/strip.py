"""The blocks of all rows side by side, with what is new in each marked."""

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
from analysis.figures.sheet.text import one_line
from roadmap.rows import Roadmap, Row
from roadmap.text import difference

COLUMNS = {"one-column": 3, "two-column": 6}
EDGE, ABOVE, HEAD, WORDS, APART = 0.05, 0.3, 0.22, 0.1, 0.12  # inches; WORDS is a line of them
NOTES = 10  # lines at most for what changed outside the block
ENDS = 0.34  # above and below a block's boxes
SCALE = Scale(tall=0.22, flat=0.115, gap=0.06, size=5.5, groups=False)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """The part of the strip for one row: title, block, and what changed outside it, in lines."""

    row: Row
    block: BlockDiagram
    title: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, row: Row, letters: int) -> Tile:
        """Return the tile of a row, with its first block that has anything new, else its first.

        Raises Problem if a layer does not fit the image.
        """
        blocks = diagram(row).blocks
        shown = next((block for block in blocks if block.is_new), blocks[0])
        others = [block.where for block in blocks if block is not shown and block.is_new]
        words = [f"block of {shown.where}"] if len(blocks) > 1 else []
        words += [f"also new: {', '.join(others)}"] if others else []
        notes = [
            line for text in (*words, *_outside(row)) for line in textwrap.wrap(text, letters + 3)
        ]
        return cls(
            row=row,
            block=shown,
            title=_in_lines(row.title, letters),
            notes=tuple(notes if len(notes) <= NOTES else [*notes[: NOTES - 1], "…"]),
        )

    @property
    def words(self) -> float:
        """The height of number, title and notes."""
        return HEAD + (len(self.title) + len(self.notes)) * WORDS


def draw_strip(roadmap: Roadmap, *, width: str = "two-column") -> Figure:
    """Draw the block of every row. Raises Problem for an unknown width."""
    sheet, across = width_of(width), COLUMNS[width]
    room = (sheet - EDGE) / across
    tiles = [Tile.of(row, int((room - 0.08) / (LETTER * SCALE.size))) for row in roadmap]
    lines = [tiles[start : start + across] for start in range(0, len(tiles), across)]
    talls = [_words(tiles) + max(_tall(tile.block) for tile in tiles) for tiles in lines]
    with applied():
        figure = Figure(figsize=(sheet, ABOVE + sum(talls)))
        axes, top = canvas(figure), ABOVE
        heading(figure, f"{roadmap.title}: every block", EDGE)
        for tiles, tall in zip(lines, talls, strict=True):
            for place, tile in enumerate(tiles):
                left = EDGE + place * room
                _label(axes, tile, left, top, room)
                _block(axes, tile, left + 0.42 * room, top + _words(tiles), room)
            top += tall
    return figure


def _in_lines(text: str, letters: int) -> tuple[str, ...]:
    """Return a text in at most four lines, cut with an ellipsis if it is longer."""
    lines = textwrap.wrap(one_line(text), letters, max_lines=4, placeholder="…")
    return tuple(lines)


def _words(tiles: list[Tile]) -> float:
    return max(tile.words for tile in tiles)


def _tall(block: BlockDiagram) -> float:
    return ENDS + height((*block.branch, *block.after), SCALE) + APART


def _label(axes: Axes, tile: Tile, left: float, top: float, room: float) -> None:
    """Write number, title, and what changed outside the block, under a line in its colour."""
    size, ink = SCALE.size, colour(tile.row.group)
    axes.plot([left, left + room - 0.08], [top, top], color=ink, linewidth=1.6)
    axes.text(left, top + 0.1, tile.row.number, fontsize=size + 1, weight="bold", va="center")
    top += HEAD
    for number, text in enumerate(tile.title):
        axes.text(left, top + number * WORDS, text, fontsize=size, va="center")
    top += len(tile.title) * WORDS
    for number, text in enumerate(tile.notes):
        axes.text(left, top + number * WORDS, text, fontsize=0.88 * size, color=FAINT, va="center")


def _outside(row: Row) -> list[str]:
    """Return what is new outside the block, in words; of the recipe, the number of fields."""
    if row.before is None:
        return []
    new = [line[2:] for line in difference(row.before.spec, row.spec) if line[0] == "+"]
    recipe = sum(line.startswith("recipe.") for line in new)
    return [
        *([f"recipe: {recipe} field{'s' * (recipe > 1)}"] if recipe else []),
        *(line for line in new if not line.startswith(("recipe.", "block"))),
    ]


def _block(axes: Axes, tile: Tile, middle: float, top: float, room: float) -> None:
    """Draw the branch with the residual path on its right, their sum, and what follows."""
    wide, ink = 0.8 * room, colour(tile.row.group)
    fork, side = top + 0.04, middle + wide / 2 + 0.05
    line(axes, [(middle, top), (middle, fork + SCALE.gap)])
    end = column(axes, tile.block.branch, middle, fork, wide, ink, SCALE)
    sum_at = end + 0.1
    line(axes, [(middle, end), (middle, sum_at)])
    line(axes, [(middle, fork), (side, fork), (side, sum_at), (middle, sum_at)])
    if tile.block.shortcut:
        words = ", ".join(box.text for box in tile.block.shortcut)
        axes.text(side + 0.03, (fork + sum_at) / 2, words, fontsize=0.88 * SCALE.size,
                  rotation=90, va="center", ha="left")  # fmt: skip
    plus(axes, middle, sum_at)
    line(axes, [(middle, sum_at), (middle, sum_at + 0.1)])
    end = column(axes, tile.block.after, middle, sum_at + 0.1, 0.7 * wide, ink, SCALE)
    line(axes, [(middle, end), (middle, end + 0.05)], arrow=True)


def strip_drawing(roadmap: Roadmap) -> Drawing:
    """Return the strip, as `blocks`."""
    pixels = roadmap.rows[-1].spec.recipe.image_size
    return Drawing(
        name="blocks",
        summary=f"{roadmap.title}: the residual block of every row, for images of {pixels} pixels.",
        details="Drawn from the specs; nothing was trained. Boxes are convolutions with kernel and "
        "channels in → out, wider for more output channels; their norm and activation are below "
        "them; dw: depthwise. Thick outline: new compared with the row it starts from; dashed: "
        "gone; grey words: what changed outside the block.",
        draw=partial(draw_strip, roadmap),
    )
