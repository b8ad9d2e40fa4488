"""Accuracy and loss over epochs: a small panel for every row, a band over its seeds.

Each panel shows, in grey, the row that this one starts from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.colours import colour
from analysis.figures.layout import LETTER, heading, short
from analysis.figures.style import FAINT, GRID, TYPE, WIDTHS, applied, save
from analysis.selection import Selection
from analysis.table import finished, sentences
from roadmap.record import Record
from steps.path import Roadmap, Row

MEASURED = {
    "top1": "top-1, %",
    "loss": "validation loss",
    "train_loss": "training loss",
}
COLUMNS, CELL = 5, (1.28, 1.12)  # panels side by side; one's share of the sheet, in inches
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


def draw_curves(roadmap: Roadmap, chosen: Selection, name: str) -> Figure:
    """A page's width of panels for the rows that have finished runs."""
    found = curves(chosen, name)
    rows = [row for row in roadmap if row.number in found]
    deep = max(ceil(len(rows) / COLUMNS), 1)
    with applied():
        figure = Figure(figsize=(WIDTHS["two-column"], ABOVE + deep * CELL[1] + BELOW))
        heading(figure, f"{roadmap.title}: {MEASURED[name]} over epochs", 0.05)
        limits = _limits(found)
        for place, row in enumerate(rows):
            axes = _cell(figure, place, len(rows))
            axes.set_ylim(limits)
            _panel(axes, row, found)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
            axes.yaxis.set_major_locator(MaxNLocator(4))
        if not rows:
            figure.text(0.5, 0.5, "no finished runs", color=FAINT, ha="center")
        else:
            size, low = TYPE["two-column"], 0.05 / figure.get_figheight()
            figure.text(0.5, low, "epoch", fontsize=size, ha="center", va="bottom")
    return figure


def write_curves(roadmap: Roadmap, chosen: Selection, folder: Path) -> list[Path]:
    """A figure for each measure, with its caption."""
    files = []
    for name, title in MEASURED.items():
        counts = {number: len(each) for number, each in curves(chosen, name).items()}
        caption = (
            f"{roadmap.title}: {title} after every epoch on {chosen.data or 'no data yet'}"
            f"{f' ({chosen.sizes})' if chosen.sizes else ''}. Line: mean over finished runs; band: "
            "the least to the greatest of them; grey: the row that this one starts from. "
            f"n = {_counts(counts)}."
        )
        figure = draw_curves(roadmap, chosen, name)
        kind = name.replace("_", "-")
        files += save(figure, folder, f"curves-{kind}", f"{caption} {sentences(chosen.notes)}")
    return files


def _counts(counts: Mapping[str, int]) -> str:
    usual = sorted(set(counts.values()))
    if len(usual) < 2:
        return str(usual[0]) if usual else "0"
    return ", ".join(f"{number}: {count}" for number, count in counts.items())


def _limits(found: Curves) -> tuple[float, float]:
    values = [value for each in found.values() for value in each.ravel() if numpy.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = 0.05 * max(high - low, 1e-6)
    return low - pad, high + pad


def _cell(figure: Figure, place: int, count: int) -> Axes:
    """The panel at a place, row by row; ticks are named at the left and below the last ones."""
    width, height = figure.get_size_inches()
    across, down = place % COLUMNS, place // COLUMNS
    left, top = SIDE + across * (width - SIDE) / COLUMNS, ABOVE + down * CELL[1]
    wide, tall = (width - SIDE) / COLUMNS - 0.12, CELL[1] - 0.28
    axes = figure.add_axes(
        (left / width, 1 - (top + 0.2 + tall) / height, wide / width, tall / height)
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.5)
    last = place + COLUMNS >= count
    axes.tick_params(labelsize=TYPE["two-column"] - 1, pad=2, labelleft=across == 0,
                     labelbottom=last)  # fmt: skip
    return axes


def _panel(axes: Axes, row: Row, found: Curves) -> None:
    size, wide = TYPE["two-column"] - 0.5, axes.get_position().width * WIDTHS["two-column"]
    title = short(f"{row.number} {row.title}", int(wide / (LETTER * size)))
    axes.set_title(title, fontsize=size, loc="left", pad=3)
    if row.before is not None and row.before.number in found:
        _line(axes, found[row.before.number], FAINT, band=False)
    _line(axes, found[row.number], colour(row.group), band=True)


def _line(axes: Axes, values: numpy.ndarray, ink: str, *, band: bool) -> None:
    epochs = numpy.arange(1, values.shape[1] + 1)
    style: dict = {"linewidth": 1.4, "zorder": 3} if band else {"linewidth": 0.9, "zorder": 2}
    axes.plot(epochs, values.mean(0), color=ink, marker=_mark(epochs), markersize=2.5, **style)
    if band and len(values) > 1:
        axes.fill_between(epochs, values.min(0), values.max(0), color=ink, alpha=0.3, linewidth=0)


def _mark(epochs: Sequence[int]) -> str:
    return "o" if len(epochs) < 10 else ""
