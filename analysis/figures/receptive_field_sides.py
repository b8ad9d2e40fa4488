"""How far effective receptive fields reach: the sides of two squares around the middle, by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.colours import colour
from analysis.figures.panels import BOX
from analysis.figures.receptive_fields import HALF, MOST, NOTHING, Field, fields
from analysis.figures.sheet.layout import (
    EDGE,
    GAP,
    LABELS,
    Label,
    heading,
    labelled,
    panel,
    sheet,
    stacked,
    type_of,
)
from analysis.figures.sheet.style import FAINT, INK, TYPE, WIDTHS, applied
from analysis.selection import Selection
from roadmap.rows import Roadmap, Row


def draw_sides(roadmap: Roadmap, chosen: Selection, *, width: str = "two-column") -> Figure:
    """The sides of the squares that hold half and nine tenths, row by row.

    Single runs are thin strokes, the size of the training images is dotted.
    """
    found, rows = fields(chosen), list(roadmap)
    lines = stacked([row.group for row in rows])
    with applied():
        figure = sheet(lines, width)
        left = EDGE + LABELS[width]
        axes = panel(figure, left, WIDTHS[width] - left - GAP, lines, "side of the square, pixels")
        labels = [Label(number=row.number, title=row.title, missing=row.number not in found)
                  for row in rows]  # fmt: skip
        labelled(axes, lines, labels, LABELS[width])
        what = "effective receptive fields"
        heading(figure, f"{roadmap.title}: {what}" if width == "two-column" else what, EDGE)
        most = max(_sizes(rows, found))
        axes.set_xlim(-0.07 * most, 1.1 * most)
        for y, row in zip(lines.rows, rows, strict=True):
            if row.number in found:
                _sides(axes, y, row, found[row.number])
            else:
                axes.text(0, y, " –", fontsize=TYPE[width] - 0.5, color=FAINT, va="center")
        _legend(figure, left if width == "two-column" else EDGE)
        if not found:
            axes.text(0.5, 0.5, NOTHING, transform=axes.transAxes, color=FAINT, ha="center",
                      fontsize=TYPE[width])  # fmt: skip
    return figure


def _sizes(rows: Sequence[Row], found: Mapping[str, Field]) -> list[float]:
    """All that the axis must hold, in pixels."""
    images = [float(row.spec.recipe.image_size) for row in rows]
    return images + [side for each in found.values() for side in each.squares(MOST)]


def _sides(axes: Axes, y: float, row: Row, field: Field) -> None:
    fill, size = colour(row.group), type_of(axes.figure) - 0.5
    sides = {share: field.square(share) for share in (HALF, MOST)}
    axes.plot(list(sides.values()), [y, y], color=fill, linewidth=1.1, zorder=2)
    pixels = row.spec.recipe.image_size
    axes.plot([pixels, pixels], [y - 0.5, y + 0.5], color=INK, linewidth=0.8, linestyle=":")
    for share, inside, beside in ((HALF, fill, -1), (MOST, "white", 1)):
        runs = field.squares(share) if field.n > 1 else []
        axes.plot(runs, [y] * len(runs), "|", color=INK, markersize=6.5, markeredgewidth=0.7)
        axes.plot(sides[share], y, "o", markersize=4.2, markeredgewidth=1.1, zorder=4,
                  markeredgecolor=fill, markerfacecolor=inside)  # fmt: skip
        end = beside * max([beside * each for each in (sides[share], *runs)])
        axes.annotate(f"{sides[share]:.0f}", (end, y), xytext=(5 * beside, 0), va="center_baseline",
                      textcoords="offset points", ha="left" if beside > 0 else "right",
                      fontsize=size, bbox=BOX)  # fmt: skip


def _legend(figure: Figure, left: float) -> None:
    width, height = figure.get_size_inches()
    style = {"linestyle": "", "color": INK, "markeredgewidth": 1.1, "markersize": 4.2}
    handles = [
        Line2D([], [], marker="o", label="half", **style),
        Line2D([], [], marker="o", label="nine tenths", **style | {"markerfacecolor": "white"}),
        Line2D([], [], marker="|", label="a run", **style | {"markeredgewidth": 0.7}),
        Line2D([], [], linestyle=":", linewidth=0.8, color=INK, label="training images"),
    ]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(left / width, 1 - 0.25 / height),
        ncols=4, frameon=False, fontsize=type_of(figure) - 0.5, handlelength=1.2,
        handletextpad=0.4, columnspacing=1.2, borderpad=0, borderaxespad=0,
    )  # fmt: skip
