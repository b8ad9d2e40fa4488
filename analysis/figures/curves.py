"""Accuracy and loss over epochs: a small panel for every row, a band over its seeds.

Each panel shows, in grey, the row that this one starts from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import ceil

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.colours import colour
from analysis.figures.sheet.layout import called, fitting, heading, inches, placed, type_of
from analysis.figures.sheet.style import FAINT, GRID, TYPE, WIDTHS, Drawing, applied
from analysis.notes import finished, recipes, sentences
from analysis.selection import Selection
from analysis.tables.cells import counts
from roadmap.record import Record
from roadmap.rows import Roadmap, Row

MEASURED = {
    "top1": "top-1, %",
    "loss": "validation loss",
    "train_loss": "training loss",
}
COMPARED = {
    "train_loss": "Training losses are those of each row's own augmentation and smoothing: rows of "
    "different recipes cannot be compared by them."
}
MOST = 100  # epochs drawn of a run; of longer ones every second, third …
BRIEFLY = {"top1": "top-1, %", "loss": "val. loss", "train_loss": "train. loss"}
COLUMNS, TALL = {"one-column": 3, "two-column": 5}, 1.12  # panels side by side; inches of each
SIDE, ABOVE, BELOW = 0.42, 0.42, 0.36
Curves = Mapping[str, numpy.ndarray]  # of rows: (seeds, epochs)


def curves(chosen: Selection, name: str) -> dict[str, numpy.ndarray]:
    """One measure over epochs of every row with finished runs: (runs, epochs).

    Runs whose history is shorter than the others' are left out.
    """
    found = {}
    for number, runs in chosen.rows.items():
        measured = [_measured(run, name) for run in finished(runs) if run.history]
        if measured:
            epochs = max(map(len, measured))
            found[number] = numpy.array([each for each in measured if len(each) == epochs])
    return found


def _measured(run: Record, name: str) -> list[float]:
    return [row.get(name, float("nan")) for row in run.history]


def draw_curves(
    roadmap: Roadmap, chosen: Selection, name: str, *, width: str = "two-column"
) -> Figure:
    """Panels for the rows that have finished runs, all with the same axis."""
    found = curves(chosen, name)
    rows = [row for row in roadmap if row.number in found]
    with applied():
        figure = _sheet(len(rows), width)
        what = f"{MEASURED[name]} over epochs"
        heading(figure, what if width == "one-column" else f"{roadmap.title}: {what}", 0.05)
        limits = _limits(found)
        for place, row in enumerate(rows):
            axes = _cell(figure, place, len(rows), COLUMNS[width])
            axes.set_ylim(limits)
            _panel(axes, row, found, called(row.number, row.title))
        if not rows:
            figure.text(0.5, 0.5, "no finished runs", color=FAINT, ha="center")
    return figure


def draw_row_curves(row: Row, chosen: Selection) -> Figure | None:
    """All that was measured of one row over epochs, for one column; None without finished runs."""
    shown = {row.number, row.before.number if row.before else row.number}
    few = replace(chosen, rows={key: runs for key, runs in chosen.rows.items() if key in shown})
    found = {name: curves(few, name) for name in MEASURED}
    if row.number not in found["top1"]:
        return None
    with applied():
        figure = _sheet(len(MEASURED), "one-column", above=0.05)
        for place, (name, title) in enumerate(BRIEFLY.items()):
            axes = _cell(figure, place, len(MEASURED), len(MEASURED), above=0.05, named=True)
            _panel(axes, row, found[name], title)
    return figure


def _sheet(count: int, width: str, above: float = ABOVE) -> Figure:
    """An empty figure for so many panels, with the name of their common axis below."""
    deep = max(ceil(count / COLUMNS[width]), 1)
    figure = Figure(figsize=(WIDTHS[width], above + deep * TALL + BELOW))
    if count:
        low = 0.05 / figure.get_figheight()
        figure.text(0.5, low, "epoch", fontsize=TYPE[width], ha="center", va="bottom")
    return figure


def curve_drawings(roadmap: Roadmap, chosen: Selection) -> list[Drawing]:
    """A figure for each measure: `curves-top1`, `curves-loss`, `curves-train-loss`."""
    return [
        Drawing(
            name=f"curves-{name.replace('_', '-')}",
            caption=_caption(roadmap, chosen, name),
            draw=partial(draw_curves, roadmap, chosen, name),
        )
        for name in MEASURED
    ]


def _caption(roadmap: Roadmap, chosen: Selection, name: str) -> str:
    runs = {number: len(each) for number, each in curves(chosen, name).items()}
    return (
        f"{roadmap.title}: {MEASURED[name]} after every epoch on {chosen.data or 'no data yet'}"
        f"{f' ({chosen.sizes})' if chosen.sizes else ''}. Line: mean over finished runs; band: "
        "the least to the greatest of them; grey: the row that this one starts from; of runs of "
        f"more than {MOST} epochs every second, third … is drawn. "
        f"n = {counts(runs)}. Recipe: {recipes(roadmap)}. {COMPARED.get(name, '')} "
        f"{sentences(chosen.notes)}"
    )


def _limits(found: Curves) -> tuple[float, float]:
    values = [value for each in found.values() for value in each.ravel() if numpy.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = 0.05 * max(high - low, 1e-6)
    return low - pad, high + pad


def _cell(
    figure: Figure, place: int, count: int, columns: int, *, above: float = ABOVE,
    named: bool = False,
) -> Axes:  # fmt: skip
    """The panel at a place, row by row; ticks are named below the last ones and at the left.

    With `named` every panel's ticks are named: each has an axis of its own.
    """
    width = figure.get_figwidth()
    across, down = place % columns, place // columns
    room = (width - (0 if named else SIDE)) / columns
    side = 0.32 if named else 0.0
    left, top = (side if named else SIDE) + across * room, above + down * TALL
    wide, tall = room - side - 0.12, TALL - 0.28
    axes = placed(figure, left, top + 0.2, wide, tall)
    size = type_of(figure)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.5)
    axes.tick_params(labelsize=size - 1, pad=2, labelleft=named or across == 0,
                     labelbottom=place + columns >= count)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    return axes


def _panel(axes: Axes, row: Row, found: Curves, title: str) -> None:
    size = type_of(axes.figure) - 0.5
    shown = fitting(title, size, inches(axes))
    axes.set_title(shown, fontsize=size, loc="left", pad=3)
    if row.before is not None and row.before.number in found:
        _line(axes, found[row.before.number], FAINT, band=False)
    _line(axes, found[row.number], colour(row.group), band=True)


def _line(axes: Axes, values: numpy.ndarray, ink: str, *, band: bool) -> None:
    epochs = numpy.arange(1, values.shape[1] + 1)
    step = ceil(len(epochs) / MOST)  # counted from the last epoch, which is the one that counts
    epochs, values = epochs[::-step][::-1], values[:, ::-step][:, ::-1]
    style: dict = {"linewidth": 1.4, "zorder": 3} if band else {"linewidth": 0.9, "zorder": 2}
    axes.plot(epochs, values.mean(0), color=ink, marker=_mark(epochs), markersize=2.5, **style)
    if band and len(values) > 1:
        axes.fill_between(epochs, values.min(0), values.max(0), color=ink, alpha=0.3, linewidth=0)


def _mark(epochs: Sequence[int]) -> str:
    return "o" if len(epochs) < 10 else ""
