"""Block diagrams in the manner of the paper's Figures 3 and 4, drawn from a row's spec.

On the left the whole network from stem to head, on the right its residual block: boxes are
convolutions, wider where more channels come out; right under them lie their norm and activation.
What is new against the row before has a thick outline, what is gone is dashed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.colours import colour
from analysis.figures.boxes import FLAT, GAP, SIZE, Scale, canvas, column, height, line, plus
from analysis.figures.diagram import BlockDiagram, Box, Diagram, diagram, plain
from analysis.figures.sheet.layout import heading
from analysis.figures.sheet.style import FAINT, Drawing, applied, width_of
from roadmap.rows import Row

EDGE, ABOVE, BELOW, BAND = 0.06, 0.32, 0.12, 0.2  # inches; BAND is a column's heading
NETWORK = {"one-column": 1.55, "two-column": 2.3}  # the column of the whole network
PROJECTION = 0.5  # more room, where the residual path has a convolution
LEAST = 1.75  # the room of a block
ENDS = 0.2  # the line and the words above and below a block
BLOCK, PARTS = Scale(), Scale(tall=0.26, flat=0.13, gap=0.045, size=6.0, shaped=False)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A block with the heading above it."""

    heading: str
    block: BlockDiagram


def draw_block(row: Row, *, width: str = "one-column") -> Figure:
    """The diagram of one row; over two columns the block of the row before stands beside its own.

    Raises Problem for another width, or where a layer does not fit.
    """
    sheet = width_of(width)
    own, first = diagram(row), NETWORK[width]
    columns = _columns(row, own, beside=width == "two-column")
    across = min(len(columns), int((sheet - first) / LEAST))
    lines = [columns[start : start + across] for start in range(0, len(columns), across)]
    talls = [BAND + max(_tall(each.block) for each in line) for line in lines]
    tall = max(BAND + height(own.parts, PARTS), sum(talls))
    with applied():
        figure = Figure(figsize=(sheet, ABOVE + tall + BELOW))
        axes, ink = canvas(figure), colour(row.group)
        heading(figure, f"{row.number} {row.title}", EDGE)
        _heading(axes, "network", first / 2, ABOVE)
        column(axes, own.parts, first / 2, ABOVE + BAND, first - 2 * EDGE, ink, PARTS)
        room = (sheet - first) / across
        for place, line in enumerate(lines):
            top = ABOVE + sum(talls[:place])
            for number, each in enumerate(line):
                middle = first + (number + 0.5) * room
                _heading(axes, each.heading, middle, top)
                _block(axes, each.block, (middle, top + BAND), room, ink)
    return figure


def _columns(row: Row, own: Diagram, *, beside: bool) -> list[Column]:
    """The row's different blocks, with room for it after the one of the row before."""
    if len(own.blocks) > 1:
        return [Column(heading=f"block of {each.where}", block=each) for each in own.blocks]
    (block,) = own.blocks
    before = plain(row.before.spec).blocks if row.before and beside else ()
    if len(before) != 1:
        return [Column(heading="block", block=block)]
    return [
        Column(heading=f"block of row {row.before.number}", block=before[0]),
        Column(heading=f"block of row {row.number}", block=block),
    ]


def _heading(axes: Axes, text: str, middle: float, top: float) -> None:
    axes.text(middle, top + 0.09, text, fontsize=SIZE, color=FAINT, ha="center", va="center")


def _tall(block: BlockDiagram) -> float:
    return height(block.branch, BLOCK) + len(block.after) * FLAT + 2 * ENDS + 2 * GAP + 0.2


def _block(
    axes: Axes, block: BlockDiagram, place: tuple[float, float], room: float, ink: str
) -> None:
    """The branch, the residual path on its right, their sum and what comes after it.

    `place` is the middle of its room, and the top.
    """
    beside = PROJECTION if block.shortcut else 0.0
    wide = min(room - 0.62 - beside, 1.35)
    branch = place[0] - 0.16 - beside / 2
    top = place[1] + 0.08
    axes.text(branch, top, block.incoming, fontsize=SIZE - 1, color=FAINT, ha="center", va="center")
    fork = top + ENDS / 2 + 0.03
    line(axes, [(branch, top + 0.07), (branch, fork + GAP + 0.03)])
    end = column(axes, block.branch, branch, fork, wide, ink, BLOCK)
    sum_at = end + GAP + 0.06
    side = branch + wide / 2 + 0.16 + beside / 2
    line(axes, [(branch, end), (branch, sum_at)])
    line(axes, [(branch, fork), (side, fork), (side, sum_at), (branch, sum_at)])
    if block.shortcut:
        _projection(axes, block.shortcut, side, (fork + sum_at) / 2, ink)
    plus(axes, branch, sum_at)
    bottom = sum_at + 0.062
    line(axes, [(branch, bottom), (branch, bottom + GAP)])
    bottom = column(axes, block.after, branch, bottom + GAP, 0.7 * wide, ink, BLOCK)
    line(axes, [(branch, bottom), (branch, bottom + 0.07)], arrow=True)
    axes.text(branch, bottom + 0.17, block.outgoing, fontsize=SIZE - 1, color=FAINT, ha="center",
              va="center")  # fmt: skip


def _projection(axes: Axes, boxes: tuple[Box, ...], side: float, middle: float, ink: str) -> None:
    """The boxes on the residual path, where it is not the identity."""
    scale = Scale(size=SIZE - 1)
    column(axes, boxes, side, middle - height(boxes, scale) / 2, PROJECTION + 0.1, ink, scale)


def block_drawings(rows: Iterable[Row]) -> list[Drawing]:
    """A diagram for each row, as `block-NUMBER`."""
    return [
        Drawing(name=f"block-{row.number}", caption=_caption(row), draw=partial(draw_block, row))
        for row in rows
    ]


def _caption(row: Row) -> str:
    recipe = row.spec.recipe
    against = f" against row {row.before.number}" if row.before else ""
    parts = [
        f"Row {row.number}, {row.title}: its network from stem to head, and its residual block. "
        f"Drawn from the spec, for images of {recipe.image_size} pixels; nothing was trained.",
        "Boxes are convolutions with kernel, channels in → out and groups, wider where more "
        "channels come out; below them lie their norm and activation. Of a stage with several "
        "blocks the last is shown; the first may stride, and then has a 1×1 convolution on its "
        "residual path.",
        f"Thick outline: new{against}; dashed: gone." if against else "",
    ]
    return " ".join(part for part in parts if part)
