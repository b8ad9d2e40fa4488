"""Block diagrams like the paper's Figures 3 and 4, drawn from a row's spec.

The whole network is on the left, from stem to head; its residual block is on the right. Boxes are
convolutions, wider for more output channels; their norm and activation are right below them. What
is new compared with the row before has a thick outline, what is gone is dashed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.colours import colour
from analysis.figures.boxes import FLAT, GAP, SIZE, Scale, canvas, column, height, line, plus
from analysis.figures.diagram import BlockDiagram, Diagram, diagram, plain
from analysis.figures.layer_boxes import Box
from analysis.figures.sheet.layout import heading
from analysis.figures.sheet.style import FAINT, Drawing, applied, width_of
from analysis.figures.strip import strip_drawing
from analysis.subject import Subject
from roadmap.rows import Row

EDGE, ABOVE, BELOW, BAND = 0.06, 0.32, 0.12, 0.2  # inches; BAND is a column's heading
NETWORK = {"one-column": 1.55, "two-column": 2.3}  # the column of the whole network
PROJECTION = 0.5  # more room if the residual path has a convolution
LEAST = 1.75  # the least room for a block
ENDS = 0.2  # the line and the words above and below a block
BLOCK, PARTS = Scale(), Scale(tall=0.26, flat=0.13, gap=0.045, size=6.0, shaped=False)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A block with the heading above it."""

    heading: str
    block: BlockDiagram


def draw_block(row: Row, *, width: str = "one-column") -> Figure:
    """Draw the diagram of one row; over two columns also the block of the row before.

    Raises Problem for an unknown width, or if a layer does not fit the image.
    """
    sheet = width_of(width)
    own, first = diagram(row), NETWORK[width]
    columns = _columns(row, own, with_previous=width == "two-column")
    across = min(len(columns), int((sheet - first) / LEAST))
    lines = [columns[start : start + across] for start in range(0, len(columns), across)]
    talls = [BAND + max(_tall(shown.block) for shown in line) for line in lines]
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
            for number, shown in enumerate(line):
                middle = first + (number + 0.5) * room
                _heading(axes, shown.heading, middle, top)
                _block(axes, shown.block, (middle, top + BAND), room, ink)
    return figure


def _columns(row: Row, own: Diagram, *, with_previous: bool) -> list[Column]:
    """Return the row's different blocks; `with_previous` puts the previous row's block first."""
    if len(own.blocks) > 1:
        return [Column(heading=f"block of {block.where}", block=block) for block in own.blocks]
    (block,) = own.blocks
    before = plain(row.before.spec).blocks if row.before and with_previous else ()
    if row.before is None or len(before) != 1:
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
    """Draw the branch, the residual path on its right, their sum and what follows.

    `place` is the middle of its room, and the top.
    """
    projection = PROJECTION if block.shortcut else 0.0
    wide = min(room - 0.62 - projection, 1.35)
    branch = place[0] - 0.16 - projection / 2
    top = place[1] + 0.08
    axes.text(branch, top, block.incoming, fontsize=SIZE - 1, color=FAINT, ha="center", va="center")
    fork = top + ENDS / 2 + 0.03
    line(axes, [(branch, top + 0.07), (branch, fork + GAP + 0.03)])
    end = column(axes, block.branch, branch, fork, wide, ink, BLOCK)
    sum_at = end + GAP + 0.06
    side = branch + wide / 2 + 0.16 + projection / 2
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
    """Draw the boxes on the residual path, if it is not the identity."""
    scale = Scale(size=SIZE - 1)
    column(axes, boxes, side, middle - height(boxes, scale) / 2, PROJECTION + 0.1, ink, scale)


def block_drawings(subject: Subject) -> list[Drawing]:
    """Return `blocks`, the blocks of all rows, and a diagram of each row as `block-NUMBER`.

    If the subject has a row, returns its diagram alone.
    """
    if subject.row is not None:
        return [row_drawing(subject.fitted[subject.row])]
    return [strip_drawing(subject.fitted), *map(row_drawing, subject.fitted)]


def row_drawing(row: Row) -> Drawing:
    """Return the diagram of a row, as `block-NUMBER`."""
    compared = f" compared with row {row.before.number}" if row.before else ""
    parts = [
        f"Drawn from the spec, for images of {row.spec.recipe.image_size} pixels; nothing was "
        "trained.",
        "Boxes are convolutions with kernel, channels in → out and groups, wider for more output "
        "channels; their norm and activation are below them. Of a stage with several blocks, the "
        "last is shown. The first one may stride, and then has a 1×1 convolution on its residual "
        "path.",
        f"Thick outline: new{compared}; dashed: gone." if compared else "",
    ]
    return Drawing(
        name=f"block-{row.number}",
        summary=f"Row {row.number}, {row.title}: its network from stem to head, and its residual "
        "block.",
        details=" ".join(part for part in parts if part),
        draw=partial(draw_block, row),
    )
