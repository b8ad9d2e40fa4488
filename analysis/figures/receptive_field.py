"""Effective receptive fields: a small picture for every row, and the square that holds half.

All rows share one scale of colours and one of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import ceil
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.figures.receptive_field_sides import draw_sides
from analysis.figures.receptive_fields import HALF, Field, fields, lacking
from analysis.figures.sheet.layout import EDGE, LETTER, heading, inches, placed, type_of
from analysis.figures.sheet.style import FAINT, TYPE, Drawing, applied, width_of
from analysis.figures.sheet.text import called, short
from analysis.notes import recipes, sentences
from analysis.subject import Subject
from analysis.tables.cells import counts
from roadmap.rows import Roadmap, Row

COLUMNS, TALL = {"one-column": 3, "two-column": 6}, 1.36  # panels side by side; inches of each
SIDE, ABOVE, BELOW, TITLE = 0.4, 0.42, 0.3, 0.28
DECADES = 3  # of colours
MEASURED = (
    "Measured after training, on the weights that were validated: the absolute gradient of the "
    "last stage's features at one position, summed over channels, with respect to 16 validation "
    "images (all, if fewer), summed over colours and averaged (Luo et al. 2016). The images are "
    "mirrored on all sides to a square of three times their size or more. Weights of kernels that "
    "meet only padding in images of the training size are left out: nothing trained them."
)


def draw_fields(
    roadmap: Roadmap, measured: Mapping[str, Field], *, width: str = "two-column"
) -> Figure:
    """Draw pictures of the rows that have a field. Raises Problem for an unknown width."""
    rows = [row for row in roadmap if row.number in measured]
    deep = ceil(len(rows) / COLUMNS[width])
    densest = max(float(field.shares.max()) / field.pixels**2 for field in measured.values())
    side = max(field.side for field in measured.values())
    with applied():
        figure = Figure(figsize=(width_of(width), ABOVE + deep * TALL + BELOW))
        wide = width == "two-column"
        heading(
            figure,
            f"{roadmap.title}: effective receptive fields" if wide else "receptive fields",
            EDGE,
        )
        colours = LogNorm(densest / 10**DECADES, densest, clip=True)
        for place, row in enumerate(rows):
            axes = _cell(figure, place, len(rows), COLUMNS[width], side)
            _picture(axes, row, measured[row.number], colours)
        _scale(figure, axes)
        low = 0.05 / figure.get_figheight()
        figure.text(0.5, low, "pixels from the middle", fontsize=TYPE[width], ha="center")
    return figure


def _cell(figure: Figure, place: int, count: int, columns: int, side: int) -> Axes:
    """Return the panel at a place, row by row; ticks have numbers at the left and at the bottom."""
    across, down = place % columns, place // columns
    pitch = (figure.get_figwidth() - SIDE) / columns
    square = min(pitch - 0.1, TALL - TITLE - 0.08)
    axes = placed(figure, SIDE + across * pitch, ABOVE + down * TALL + TITLE, square, square)
    axes.set_xlim(-side / 2, side / 2)
    axes.set_ylim(side / 2, -side / 2)
    ticks = [-side // 4, 0, side // 4]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(labelsize=type_of(figure) - 1, pad=2, color=FAINT, width=0.6, length=2.5,
                     labelleft=across == 0, labelbottom=place + columns >= count)  # fmt: skip
    return axes


def _picture(axes: Axes, row: Row, field: Field, colours: LogNorm) -> None:
    reach, size = field.side / 2, type_of(axes) - 0.5
    title = _title(row, int(inches(axes) / (LETTER * size)))
    axes.set_title(title, fontsize=size, loc="left", pad=3)
    axes.imshow(field.shares / field.pixels**2, cmap="magma", norm=colours, interpolation="none",
                extent=(-reach, reach, reach, -reach))  # fmt: skip
    half = field.square(HALF)
    axes.add_patch(
        Rectangle((-half / 2, -half / 2), half, half, fill=False, edgecolor="white", linewidth=0.9)
    )
    axes.text(0.04, 0.04, f"half in {half:.0f} px", transform=axes.transAxes, color="white",
              fontsize=size, va="bottom")  # fmt: skip


def _title(row: Row, letters: int) -> str:
    """Return number and title in at most two lines."""
    first, *rest = wrap(called(row.number, row.title), letters) or [""]
    return "\n".join([first, short(" ".join(rest), letters)])


def _scale(figure: Figure, axes: Axes) -> None:
    """Draw the scale of colours, above on the right."""
    bar = placed(figure, figure.get_figwidth() - 1.55, 0.16, 1.4, 0.08)
    figure.colorbar(axes.images[0], cax=bar, orientation="horizontal")
    bar.tick_params(labelsize=type_of(figure) - 1, pad=1, length=2)
    bar.xaxis.set_major_formatter("{x:g}")
    bar.minorticks_off()
    bar.set_title("share of the gradient, per pixel", fontsize=type_of(figure) - 1, pad=2)


def field_drawings(subject: Subject) -> list[Drawing]:
    """Return `receptive-field`, the pictures, and `receptive-field-sides`, how far they reach.

    Returns none if no run has a field on record.
    """
    selection, roadmap = subject.selection, subject.fitted
    measured = fields(selection)
    if not measured:
        return []
    sizes = f" ({selection.sizes})" if selection.sizes else ""
    runs = counts({number: field.n for number, field in measured.items()})
    where = f"on {selection.data or 'no data yet'}{sizes}. n = {runs}."
    notes = sentences([*selection.notes, *lacking(selection, measured)])
    shared = f"{MEASURED} Recipe: {recipes(roadmap, selection.runs)}. {notes}"
    pictures = Drawing(
        name="receptive-field",
        summary=f"{roadmap.title}: effective receptive fields of the trained networks {where}",
        details="Colours: mean over runs, on one logarithmic scale; square: the smallest around "
        f"the middle that holds half. {shared}",
        draw=partial(draw_fields, roadmap, measured),
    )
    sides = Drawing(
        name="receptive-field-sides",
        summary=f"{roadmap.title}: sides of the smallest squares around the middle that hold half "
        f"and nine tenths of the effective receptive field {where}",
        details="Dots: of the mean over runs; strokes: of single runs; dotted: the size of the "
        f"training images. {shared}",
        draw=partial(draw_sides, roadmap, measured),
    )
    return [pictures, sides]
