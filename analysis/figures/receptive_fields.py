"""The effective receptive field of each row: the mean over its runs, and how far it reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from analysis.notes import finished
from analysis.selection import Selection

HALF, MOST = 0.5, 0.9  # the shares whose squares are shown
NOTHING = "no finished run has a receptive field on record"


@dataclass(frozen=True, kw_only=True, eq=False)
class Field:
    """Shares of the gradient over square cells of `pixels` a side, the mean of n runs.

    `shares` is (rows, columns) and adds up to 1; its middle is that of the feature's position.
    `runs` are the runs' own, (n, rows, columns).
    """

    runs: numpy.ndarray
    pixels: int

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.runs)

    @property
    def shares(self) -> numpy.ndarray:
        """The mean over the runs."""
        return self.runs.mean(0)

    @property
    def side(self) -> int:
        """Pixels across."""
        return self.runs.shape[-1] * self.pixels

    def square(self, share: float) -> float:
        """The side in pixels of the square around the middle that holds this share."""
        return _square(self.shares, share) * self.pixels

    def squares(self, share: float) -> list[float]:
        """The same of each run."""
        return [_square(run, share) * self.pixels for run in self.runs]


def _square(shares: numpy.ndarray, share: float) -> float:
    """In cells; between one whole square of cells and the next the share grows with the side."""
    count = len(shares)
    edges = range((count - 1) // 2, -1, -1)  # how many cells are left out on each side
    held = [0.0, *(shares[edge : count - edge, edge : count - edge].sum() for edge in edges)]
    sides = [0, *(count - 2 * edge for edge in edges)]
    wanted = min(share, held[-1]) - 1e-9  # sums are rounded
    reached = next(place for place, each in enumerate(held) if each >= wanted)
    last = max(reached - 1, 0)
    return float(numpy.interp(share, held[last : reached + 1], sides[last : reached + 1]))


def fields(chosen: Selection) -> dict[str, Field]:
    """Of every row with finished runs that have a field; those of another scale are left out."""
    found = {}
    for number, runs in chosen.rows.items():
        measured = [run.receptive_field for run in finished(runs) if run.receptive_field]
        if measured:
            scale = (measured[-1].pixels, measured[-1].side)
            alike = [each for each in measured if (each.pixels, each.side) == scale]
            shares = numpy.array([each.shares for each in alike])
            found[number] = Field(runs=shares, pixels=scale[0])
    return found


def lacking(chosen: Selection) -> list[str]:
    """A note naming the rows of which some or all finished runs have no field."""
    measured = fields(chosen)
    counts = {number: len(finished(runs)) - (measured[number].n if number in measured else 0)
              for number, runs in chosen.rows.items()}  # fmt: skip
    runs = sum(counts.values())
    rows = ", ".join(number for number, count in counts.items() if count)
    if not runs:
        return []
    are = "1 run has" if runs == 1 else f"{runs} runs have"
    return [f"left out: {are} no receptive field that fits on record ({rows})"]
