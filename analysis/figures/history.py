"""What runs recorded after each epoch, as arrays."""

from __future__ import annotations

from math import ceil

import numpy

from analysis.figures.sheet.units import axis_title
from analysis.measures import Measure
from analysis.notes import finished
from analysis.selection import Selection
from roadmap.record import Record
from roadmap.unfinished import Unfinished

LOSSES = {"loss": "validation loss", "train_loss": "training loss"}
COMPARED = {
    "train_loss": "Training losses include each row's own augmentation and label smoothing: rows "
    "with different recipes cannot be compared by them."
}
MOST = 100  # epochs drawn of a run


def history_titles(selection: Selection, measure: Measure) -> dict[str, str]:
    """Return the titles of the measure and of the losses that any run has over epochs."""
    titles = {measure.key: axis_title(measure)} | LOSSES
    recorded = {
        key
        for runs in selection.rows.values()
        for run in finished(runs)
        for epoch in run.history
        for key in epoch
    } | {
        key
        for runs in selection.unfinished.values()
        for run in runs
        for epoch in run.history
        for key in epoch
    }
    return {key: title for key, title in titles.items() if key in recorded}


def histories(selection: Selection, key: str) -> dict[str, numpy.ndarray]:
    """Return one measure over epochs for every row with finished runs: (runs, epochs).

    Runs with a shorter history than the others of their row are left out.
    """
    curves = {}
    for number, runs in selection.rows.items():
        values = [_values(run, key) for run in finished(runs) if run.history]
        if values:
            epochs = max(map(len, values))
            whole = numpy.array([run for run in values if len(run) == epochs])
            if numpy.isfinite(whole).any():
                curves[number] = whole
    return curves


def open_histories(selection: Selection, key: str) -> dict[str, list[numpy.ndarray]]:
    """Return one measure over the epochs so far of each row's unfinished runs: (epochs,) each."""
    return {
        number: found
        for number, runs in selection.unfinished.items()
        if (found := [values for run in runs if len(values := _so_far(run, key))])
    }


def _so_far(run: Unfinished, key: str) -> numpy.ndarray:
    return numpy.array([epoch.get(key, float("nan")) for epoch in run.history])


def _values(run: Record, key: str) -> list[float]:
    return [epoch.get(key, float("nan")) for epoch in run.history]


def drawn_epochs(values: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the epochs to draw, from 1, and their values (runs, epochs)."""
    epochs = numpy.arange(1, values.shape[1] + 1)
    step = ceil(len(epochs) / MOST)  # from the last epoch, whose result is the run's
    return epochs[::-step][::-1], values[:, ::-step][:, ::-1]
