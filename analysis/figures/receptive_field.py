"""Effective receptive fields: a small picture for every row, around the square that holds half.

All rows share one scale of colours and one of pixels.
"""

from __future__ import annotations

from functools import partial
from math import ceil
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.figures.receptive_field_sides import draw_sides
from analysis.figures.receptive_fields import HALF, NOTHING, Field, fields, lacking
from analysis.figures.sheet.layout import (
    EDGE,
    LETTER,
    called,
    heading,
    inches,
    placed,
    short,
    type_of,
)
from analysis.figures.sheet.style import FAINT, TYPE, WIDTHS, Drawing, applied
from analysis.notes import recipes, sentences
from analysis.selection import Selection
from analysis.tables.cells import counts
from roadmap.rows import Roadmap, Row

COLUMNS, TALL = {"one-column": 3, "two-column": 6}, 1.36  # panels side by side; inches of each
SIDE, ABOVE, BELOW, TITLE = 0.4, 0.42, 0.3, 0.28
DECADES = 3  # of colours
MEASURED = (
    "Measured after training, on the weights that were validated: the absolute gradient of the "
    "last stage's features at one position, summed over channels, with respect to 16 validation "
    "images (all, if fewer), summed over colours and averaged (Luo et al. 2016); the images are "
    "mirrored on all sides to a square of three times their size or more. Weights of kernels that "
    "meet nothing but padding in images of the training size are left out: nothing trained them."
)


def draw_fields(roadmap: Roadmap, chosen: Selection, *, width: str = "two-column") -> Figure:
    """Pictures of the rows that have a field on record."""
    found = fields(chosen)
    rows = [row for row in roadmap if row.number in found]
    deep = max(ceil(len(rows) / COLUMNS[width]), 1)
    with applied():
        figure = Figure(figsize=(WIDTHS[width], ABOVE + deep * TALL + BELOW))
        what = "effective receptive fields" if width == "two-column" else "receptive fields"
        heading(figure, f"{roadmap.title}: {what}" if width == "two-column" else what, EDGE)
        if not rows:
            figure.text(0.5, 0.4, NOTHING, color=FAINT, ha="center", fontsize=TYPE[width])
            return figure
        densest = max(float(each.shares.max()) / each.pixels**2 for each in found.values())
        colours = LogNorm(densest / 10**DECADES, densest, clip=True)
        side = max(each.side for each in found.values())
        for place, row in enumerate(rows):
            axes = _cell(figure, place, len(rows), COLUMNS[width], side)
            _picture(axes, row, found[row.number], colours)
        _scale(figure, axes)
        low = 0.05 / figure.get_figheight()
        figure.text(0.5, low, "pixels from the middle", fontsize=TYPE[width], ha="center")
    return figure


def _cell(figure: Figure, place: int, count: int, columns: int, side: int) -> Axes:
    """The panel at a place, row by row; ticks are named at the left and below the last ones."""
    width = figure.get_figwidth()
    across, down = place % columns, place // columns
    pitch = (width - SIDE) / columns
    square = min(pitch - 0.1, TALL - TITLE - 0.08)
    left, top = SIDE + across * pitch, ABOVE + down * TALL + TITLE
    axes = placed(figure, left, top, square, square)
    axes.set_xlim(-side / 2, side / 2)
    axes.set_ylim(side / 2, -side / 2)
    ticks = [-side // 4, 0, side // 4]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(labelsize=type_of(figure) - 1, pad=2, color=FAINT, width=0.6, length=2.5,
                     labelleft=across == 0, labelbottom=place + columns >= count)  # fmt: skip
    return axes


def _picture(axes: Axes, row: Row, field: Field, colours: LogNorm) -> None:
    reach, size = field.side / 2, type_of(axes.figure) - 0.5
    axes.set_title(
        _title(row, int(inches(axes) / (LETTER * size))), fontsize=size, loc="left", pad=3
    )
    axes.imshow(field.shares / field.pixels**2, cmap="magma", norm=colours, interpolation="none",
                extent=(-reach, reach, reach, -reach))  # fmt: skip
    half = field.square(HALF)
    axes.add_patch(Rectangle((-half / 2, -half / 2), half, half, fill=False, edgecolor="white",
                             linewidth=0.9))  # fmt: skip
    axes.text(0.04, 0.04, f"half in {half:.0f} px", transform=axes.transAxes, color="white",
              fontsize=size, va="bottom")  # fmt: skip


def _title(row: Row, letters: int) -> str:
    """Number and title in at most two lines."""
    first, *rest = wrap(called(row.number, row.title), letters)
    return "\n".join([first, short(" ".join(rest), letters)])


def _scale(figure: Figure, axes: Axes) -> None:
    """The scale of colours, above on the right."""
    bar = placed(figure, figure.get_figwidth() - 1.55, 0.16, 1.4, 0.08)
    figure.colorbar(axes.images[0], cax=bar, orientation="horizontal")
    bar.tick_params(labelsize=type_of(figure) - 1, pad=1, length=2)
    bar.xaxis.set_major_formatter("{x:g}")
    bar.minorticks_off()
    bar.set_title("share of the gradient, per pixel", fontsize=type_of(figure) - 1, pad=2)


def field_drawings(roadmap: Roadmap, chosen: Selection) -> list[Drawing]:
    """The pictures, as `receptive-field`, and how far they reach, as `receptive-field-sides`."""
    runs = {number: each.n for number, each in fields(chosen).items()}
    shared = (
        f"on {chosen.data or 'no data yet'}{f' ({chosen.sizes})' if chosen.sizes else ''}. "
        f"{MEASURED} n = {counts(runs)}. Recipe: {recipes(roadmap)}."
    )
    notes = sentences([*chosen.notes, *lacking(chosen)])
    pictures = (
        f"{roadmap.title}: effective receptive fields of the trained networks {shared} Colours: "
        "mean over runs, on one logarithmic scale; square: the smallest around the middle that "
        f"holds half. {notes}"
    )
    sides = (
        f"{roadmap.title}: sides of the smallest squares around the middle that hold half and nine "
        f"tenths of the effective receptive field {shared} Dots: of the mean over runs; strokes: "
        f"of single runs; dotted: the size of the training images. {notes}"
    )
    return [
        Drawing(
            name="receptive-field",
            caption=pictures,
            draw=partial(draw_fields, roadmap, chosen),
        ),
        Drawing(
            name="receptive-field-sides",
            caption=sides,
            draw=partial(draw_sides, roadmap, chosen),
        ),
    ]
