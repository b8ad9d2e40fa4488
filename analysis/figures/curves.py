"""Measures over epochs: a small panel for every row, a band over its seeds.

Each panel shows, in grey, the row that this one starts from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.colours import colour
from analysis.figures.history import (
    COMPARED,
    MOST,
    drawn_epochs,
    histories,
    history_titles,
    open_histories,
)
from analysis.figures.sheet.layout import heading, inches, placed, type_of
from analysis.figures.sheet.style import FAINT, GRID, TYPE, Drawing, applied, width_of
from analysis.figures.sheet.text import called, fitting_size, in_lines
from analysis.notes import recipes, sentences
from analysis.precision import precision
from analysis.subject import Subject
from analysis.tables.cells import counts
from roadmap.rows import Roadmap, Row

COLUMNS, TALL = {"one-column": 3, "two-column": 5}, 1.12  # panels side by side; inches of each
SIDE, ABOVE, BELOW = 0.42, 0.42, 0.36
Curves = Mapping[str, numpy.ndarray]  # of rows: (seeds, epochs)
Unfinished = Mapping[str, Sequence[numpy.ndarray]]  # of rows: (epochs,) of each run


def draw_curves(
    roadmap: Roadmap,
    curves: Curves,
    title: str,
    *,
    width: str = "two-column",
    unfinished: Unfinished | None = None,
) -> Figure:
    """Draw panels for the rows that have curves, all with the same axes.

    `unfinished` are the curves of runs that still train: they are dashed.
    """
    dashed = unfinished or {}
    rows = [row for row in roadmap if row.number in {*curves, *dashed}]
    with applied():
        figure = _sheet(len(rows), width)
        what = f"{title} over epochs"
        heading(figure, what if width == "one-column" else f"{roadmap.title}: {what}", 0.05)
        titles = [called(row.number, row.title) for row in rows]
        room = (figure.get_figwidth() - SIDE) / COLUMNS[width] - 0.12
        size = fitting_size(titles, [room] * len(rows), TYPE[width] - 0.5)
        for place, row in enumerate(rows):
            axes = _cell(figure, place, len(rows), COLUMNS[width])
            axes.set_ylim(_limits(curves, dashed))
            _panel(axes, row, curves, titles[place], size, dashed)
    return figure


def _sheet(count: int, width: str) -> Figure:
    """Return an empty figure for so many panels, with the name of their common axis below."""
    deep = max(ceil(count / COLUMNS[width]), 1)
    figure = Figure(figsize=(width_of(width), ABOVE + deep * TALL + BELOW))
    low = 0.05 / figure.get_figheight()
    figure.text(0.5, low, "epoch", fontsize=TYPE[width], ha="center", va="bottom")
    return figure


def _limits(curves: Curves, unfinished: Unfinished) -> tuple[float, float]:
    parts = [*curves.values(), *(values for runs in unfinished.values() for values in runs)]
    values = [value for part in parts for value in part.ravel() if numpy.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = 0.05 * max(high - low, 1e-6)
    return low - pad, high + pad


def _cell(figure: Figure, place: int, count: int, columns: int) -> Axes:
    """Return the panel at a place, row by row; ticks have numbers at the left and at the bottom."""
    across, down = place % columns, place // columns
    room = (figure.get_figwidth() - SIDE) / columns
    left, top = SIDE + across * room, ABOVE + down * TALL
    axes = placed(figure, left, top + 0.2, room - 0.12, TALL - 0.28)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.5)
    axes.tick_params(labelsize=type_of(figure) - 1, pad=2, labelleft=across == 0,
                     labelbottom=place + columns >= count)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    return axes


def _panel(
    axes: Axes, row: Row, curves: Curves, title: str, size: float, unfinished: Unfinished
) -> None:
    shown = in_lines(title, size, inches(axes))
    axes.set_title(shown, fontsize=size, loc="left", pad=2, linespacing=1.0)
    if row.before is not None and row.before.number in curves:
        _line(axes, curves[row.before.number], FAINT, band=False)
    if row.number in curves:
        _line(axes, curves[row.number], colour(row.group), band=True)
    for values in unfinished.get(row.number, ()):
        _dashed(axes, values, colour(row.group))


def _dashed(axes: Axes, values: numpy.ndarray, ink: str) -> None:
    """Draw the epochs so far of a run that is not finished (epochs,)."""
    epochs, drawn = drawn_epochs(values[None])
    axes.plot(epochs, drawn[0], color=ink, linestyle=(0, (3, 2)), linewidth=0.9, zorder=4.0,
              marker="o" if len(epochs) == 1 else "", markersize=2.5)  # fmt: skip


def _line(axes: Axes, values: numpy.ndarray, ink: str, *, band: bool) -> None:
    """Draw the mean over runs (runs, epochs); with `band` also the range of the runs."""
    epochs, values = drawn_epochs(values)
    wide, order = (1.4, 3.0) if band else (0.9, 2.0)
    axes.plot(epochs, values.mean(0), color=ink, marker="o" if len(epochs) < 10 else "",
              markersize=2.5, linewidth=wide, zorder=order)  # fmt: skip
    if band and len(values) > 1:
        axes.fill_between(epochs, values.min(0), values.max(0), color=ink, alpha=0.3, linewidth=0)


def curve_drawings(subject: Subject) -> list[Drawing]:
    """Return a figure for each measure that histories have, as in `curves-train-loss`."""
    drawings = []
    for key, title in history_titles(subject.selection, subject.measure).items():
        curves = histories(subject.selection, key)
        drawings.append(
            Drawing(
                name=f"curves-{key.replace('_', '-')}",
                summary=_summary(subject, curves, title),
                details=_details(subject, key),
                draw=partial(
                    draw_curves,
                    subject.fitted,
                    curves,
                    title,
                    unfinished=open_histories(subject.selection, key),
                ),
            )
        )
    return drawings


def _summary(subject: Subject, curves: Curves, title: str) -> str:
    selection = subject.selection
    sizes = f" ({selection.sizes})" if selection.sizes else ""
    runs = counts({number: len(values) for number, values in curves.items()})
    where = f"{selection.data or 'no data yet'}{sizes}"
    return f"{subject.fitted.title}: {title} after every epoch on {where}. n = {runs}."


def _details(subject: Subject, key: str) -> str:
    measure = subject.measure
    told = precision(subject.selection.rows, measure) if key == measure.key else ()
    running = [
        f"{number} seed {run.begun.identity.seed} ({run.progress})"
        for number, runs in subject.selection.unfinished.items()
        for run in runs
        if run.history
    ]
    parts = (
        f"Dashed: not finished, with the epochs done: {', '.join(running)}." if running else "",
        "Line: mean over finished runs; band: the smallest to the largest of them; grey: the row "
        f"that this one starts from. Of runs of more than {MOST} epochs, every second, third … is "
        f"drawn. Recipe: {recipes(subject.fitted, subject.selection.runs)}.",
        COMPARED.get(key, ""),
        sentences([*subject.selection.notes, *told]),
    )
    return " ".join(part for part in parts if part)
