"""The effective receptive field of each row: the mean over its runs, and how far it reaches."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

import numpy

from analysis.notes import finished
from analysis.selection import Selection
from roadmap.receptive_field import ReceptiveField

HALF, MOST = 0.5, 0.9  # the shares whose squares are shown


@dataclass(frozen=True, kw_only=True, eq=False)
class Field:
    """Shares of the gradient over square cells of `pixels` a side.

    `runs` are those of each run, (n, rows, columns). Each adds up to 1; its middle is the position
    of the feature.
    """

    runs: numpy.ndarray
    pixels: int

    @property
    def n(self) -> int:
        """The number of runs."""
        return len(self.runs)

    @property
    def shares(self) -> numpy.ndarray:
        """The mean over the runs, (rows, columns)."""
        return self.runs.mean(0)

    @property
    def side(self) -> int:
        """Pixels across."""
        return self.runs.shape[-1] * self.pixels

    def square(self, share: float) -> float:
        """Return the side in pixels of the square around the middle that holds this share."""
        return _square(self.shares, share) * self.pixels

    def squares(self, share: float) -> list[float]:
        """Return the same for each run."""
        return [_square(run, share) * self.pixels for run in self.runs]


def _square(shares: numpy.ndarray, share: float) -> float:
    """Return the side in cells, interpolated between whole squares of cells."""
    count = len(shares)
    edges = range((count - 1) // 2, -1, -1)  # how many cells are left out on each side
    held = [0.0, *(shares[edge : count - edge, edge : count - edge].sum() for edge in edges)]
    sides = [0, *(count - 2 * edge for edge in edges)]
    wanted = min(share, held[-1]) - 1e-9  # sums are rounded
    reached = next(place for place, total in enumerate(held) if total >= wanted)
    last = max(reached - 1, 0)
    return float(numpy.interp(share, held[last : reached + 1], sides[last : reached + 1]))


def fields(selection: Selection) -> dict[str, Field]:
    """Return the field of each row that has one; runs with another scale are left out."""
    by_row = {}
    for number, runs in selection.rows.items():
        measured = [run.receptive_field for run in finished(runs) if run.receptive_field]
        if measured:
            scale = (measured[-1].pixels, len(measured[-1].cells))
            alike = [field for field in measured if (field.pixels, len(field.cells)) == scale]
            shares = numpy.array([_shares(field) for field in alike])
            by_row[number] = Field(runs=shares, pixels=scale[0])
    return by_row


def _shares(field: ReceptiveField) -> numpy.ndarray:
    """Return `field.shares` as an array; the field was checked when it was read."""
    flat = numpy.frombuffer(base64.b64decode(field.cells), dtype="<f2").astype(float)
    side = isqrt(len(flat))
    return (flat / flat.sum()).reshape(side, side)


def lacking(selection: Selection, measured: Mapping[str, Field]) -> list[str]:
    """Return a note naming the rows whose finished runs lack a field, in part or all."""
    counts = {
        number: len(finished(runs)) - (measured[number].n if number in measured else 0)
        for number, runs in selection.rows.items()
    }
    runs = sum(counts.values())
    rows = ", ".join(number for number, count in counts.items() if count)
    if not runs:
        return []
    are = "1 run has" if runs == 1 else f"{runs} runs have"
    return [f"left out: {are} no receptive field that fits on record ({rows})"]
