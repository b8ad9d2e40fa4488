"""How far effective receptive fields reach: the sides of two squares around the middle, by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.colours import colour
from analysis.figures.panels import BOX
from analysis.figures.receptive_fields import HALF, MOST, Field
from analysis.figures.sheet.layout import (
    EDGE,
    GAP,
    LABELS,
    heading,
    panel,
    sheet,
    stacked,
    type_of,
)
from analysis.figures.sheet.legend import dot, legend
from analysis.figures.sheet.row_labels import Label, labelled
from analysis.figures.sheet.style import FAINT, INK, TYPE, WIDTHS, applied
from roadmap.rows import Roadmap, Row


def draw_sides(
    roadmap: Roadmap, measured: Mapping[str, Field], *, width: str = "two-column"
) -> Figure:
    """Draw the sides of the squares that hold half and nine tenths, row by row.

    Single runs are thin strokes; the size of the training images is dotted. Raises Problem for an
    unknown width.
    """
    rows = list(roadmap)
    lines = stacked([row.group for row in rows])
    with applied():
        figure = sheet(lines, width)
        left = EDGE + LABELS[width]
        axes = panel(figure, left, WIDTHS[width] - left - GAP, lines, "side of the square, pixels")
        labels = [
            Label(number=row.number, title=row.title, missing=row.number not in measured)
            for row in rows
        ]
        labelled(axes, lines, labels, LABELS[width])
        what = "effective receptive fields"
        heading(figure, f"{roadmap.title}: {what}" if width == "two-column" else what, EDGE)
        most = max(_sizes(rows, measured))
        axes.set_xlim(-0.07 * most, 1.1 * most)
        for y, row in zip(lines.rows, rows, strict=True):
            if row.number in measured:
                _sides(axes, y, row, measured[row.number])
            else:
                axes.text(0, y, " –", fontsize=TYPE[width] - 0.5, color=FAINT, va="center")
        legend(figure, _marks(), left if width == "two-column" else EDGE, 0.25, columns=4)
    return figure


def _sizes(rows: Sequence[Row], measured: Mapping[str, Field]) -> list[float]:
    """Return everything that the axis must hold, in pixels."""
    images = [float(row.spec.recipe.image_size) for row in rows]
    return images + [side for field in measured.values() for side in field.squares(MOST)]


def _sides(axes: Axes, y: float, row: Row, field: Field) -> None:
    fill, size = colour(row.group), type_of(axes) - 0.5
    sides = {share: field.square(share) for share in (HALF, MOST)}
    axes.plot(list(sides.values()), [y, y], color=fill, linewidth=1.1, zorder=2)
    pixels = row.spec.recipe.image_size
    axes.plot([pixels, pixels], [y - 0.5, y + 0.5], color=INK, linewidth=0.8, linestyle=":")
    for share, inside, way in ((HALF, fill, -1), (MOST, "white", 1)):
        runs = field.squares(share) if field.n > 1 else []
        axes.plot(runs, [y] * len(runs), "|", color=INK, markersize=6.5, markeredgewidth=0.7)
        axes.plot(sides[share], y, "o", markersize=4.2, markeredgewidth=1.1, zorder=4,
                  markeredgecolor=fill, markerfacecolor=inside)  # fmt: skip
        end = way * max([way * side for side in (sides[share], *runs)])
        axes.annotate(f"{sides[share]:.0f}", (end, y), xytext=(5 * way, 0), va="center_baseline",
                      textcoords="offset points", ha="left" if way > 0 else "right",
                      fontsize=size, bbox=BOX)  # fmt: skip


def _marks() -> list[Line2D]:
    return [
        dot("half", fill=INK, edge=INK, size=4.2, edge_width=1.1),
        dot("nine tenths", fill="white", edge=INK, size=4.2, edge_width=1.1),
        dot("a run", fill=INK, edge=INK, size=4.2, edge_width=0.7, marker="|"),
        Line2D([], [], linestyle=":", linewidth=0.8, color=INK, label="training images"),
    ]
