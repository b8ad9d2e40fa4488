"""Draw boxes and lines of block diagrams; lengths in inches from the top left, type in points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from analysis.colours import KINDS, PAPER
from analysis.figures.layer_boxes import Box
from analysis.figures.sheet.layout import BOLD
from analysis.figures.sheet.style import FAINT, INK
from analysis.figures.sheet.text import fitted

# A convolution's box; a norm's or activation's; the gap above a convolution; type.
TALL, FLAT, GAP, SIZE = 0.28, 0.14, 0.09, 6.5
NARROWEST = 0.7  # of the widest box in a column
FILLS = KINDS | {
    "norm": KINDS["norms, scales"],
    "operation": KINDS["own operations"],
    "activation": PAPER,
    "part": PAPER,
}
# Type on a filled box, which has the same colour on dark paper.
ON_FILL, ON_DARK_FILL = "#212121", "#FEFEFE"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How boxes are drawn: heights of tall and flat ones, the gap above tall ones, type.

    With `groups` they are written after the channels. With `shaped`, boxes with more output
    channels are wider.
    """

    tall: float = TALL
    flat: float = FLAT
    gap: float = GAP
    size: float = SIZE
    groups: bool = True
    shaped: bool = True


def canvas(figure: Figure) -> Axes:
    """Return axes over a whole figure, in inches from its top left corner."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def is_flat(box: Box) -> bool:
    """Whether a box touches the one above it: norms, activations, pools."""
    return box.kind in ("norm", "activation")


def height(boxes: Sequence[Box], scale: Scale) -> float:
    """Return the height of a column of boxes."""
    return sum(scale.flat if is_flat(box) else scale.tall + scale.gap for box in boxes)


def column(
    axes: Axes, boxes: Sequence[Box], middle: float, top: float, wide: float, ink: str, scale: Scale
) -> float:
    """Draw boxes from top to bottom, joined by lines; return where they end.

    `wide` is the width of the widest. New boxes have a thick outline in the colour `ink`; those
    that are gone are dashed.
    """
    most = max((box.channels for box in boxes), default=0) if scale.shaped else 0
    last = wide
    for number, box in enumerate(boxes):
        if is_flat(box):
            tall = scale.flat
        else:
            share = max((box.channels / most) ** 0.5, NARROWEST) if box.channels and most else 1.0
            tall, last = scale.tall, wide * share
            if number:
                line(axes, [(middle, top), (middle, top + scale.gap)])
            top += scale.gap
        draw(axes, box, (middle, top, last, tall), ink, scale)
        top += tall
    return top


def draw(
    axes: Axes, box: Box, place: tuple[float, float, float, float], ink: str, scale: Scale
) -> None:
    """Draw one box; `place` is its middle, top, width and height."""
    middle, top, wide, tall = place
    inset = 0.01 if is_flat(box) else 0.0
    gone = box.change == "gone"
    fill = PAPER if gone else FILLS[box.kind]
    axes.add_patch(
        FancyBboxPatch(
            (middle - wide / 2 + 0.02, top + 0.02 + inset), wide - 0.04, tall - 0.04 - inset,
            boxstyle="round,pad=0.02,rounding_size=0.035", facecolor=fill,
            edgecolor=ink if box.change == "new" else FAINT,
            linewidth=1.7 if box.change == "new" else 0.5,
            linestyle=(0, (2.5, 1.8)) if gone else "solid", zorder=4 if box.change == "new" else 3,
        )
    )  # fmt: skip
    ink_on = FAINT if gone else _type_on(fill)
    text: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 5, "color": ink_on}
    bold = box.change == "new"
    weight = "bold" if bold else "normal"
    if is_flat(box) or not box.detail:
        size = (0.9 if is_flat(box) else 1) * scale.size
        shown, size = _fitted(f"no {box.text}" if gone else box.text, size, wide, bold)
        axes.text(middle, top + (tall + inset) / 2, shown, fontsize=size, weight=weight, **text)
        return
    shown, size = _fitted(box.text, scale.size, wide, bold)
    axes.text(middle, top + 0.31 * tall, shown, fontsize=size, weight=weight, **text)
    detail = box.detail if scale.groups else box.detail.partition(", groups")[0]
    shown, size = _fitted(detail, 0.84 * scale.size, wide, bold=False)
    axes.text(middle, top + 0.72 * tall, shown, fontsize=size, **text)


def _type_on(fill: str) -> str:
    if fill == PAPER:
        return INK
    return ON_DARK_FILL if fill in (KINDS["1×1"], KINDS["own operations"]) else ON_FILL


def _fitted(text: str, size: float, wide: float, bold: bool) -> tuple[str, float]:
    """Return a text and the size at which it fits a box; `dw` for depthwise if it is too long."""
    room = (wide - 0.05) / (BOLD if bold else 1.0)
    shown, smaller = fitted(text, size, room)
    return (
        (shown, smaller) if shown == text else fitted(text.replace("depthwise", "dw"), size, room)
    )


def line(axes: Axes, points: Sequence[tuple[float, float]], *, arrow: bool = False) -> None:
    """Draw a line through points, with `arrow` a head at its end."""
    xs, ys = zip(*points, strict=True)
    axes.plot(xs, ys, color=INK, linewidth=0.8, zorder=2, solid_joinstyle="round")
    if arrow:
        axes.plot(xs[-1], ys[-1], marker="v", markersize=3, color=INK, zorder=2, linewidth=0)


def plus(axes: Axes, x: float, y: float) -> None:
    """Draw the sign of an addition."""
    axes.add_patch(Circle((x, y), 0.062, facecolor=PAPER, edgecolor=INK, linewidth=0.8, zorder=4))
    for dx, dy in ((0.038, 0), (0, 0.038)):
        axes.plot([x - dx, x + dx], [y - dy, y + dy], color=INK, linewidth=0.8, zorder=5)
