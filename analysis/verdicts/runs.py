"""From records to the numbers that are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from analysis.notes import finished
from analysis.selection import Selection
from analysis.verdicts.statistics import (
    Cell,
    right,
)
from roadmap.record import Record
from steps.studies.study import Study

ADAPTIVE, MOST_SEEDS = "--until-decided", 8  # in the command of runs that were added so


def count_looks(study: Study, runs: Mapping[str, Sequence[Record]]) -> int:
    """How often verdicts were to be looked at; more than once where seeds were added until decided.

    From the commands of the runs: once for each number of seeds, from the fewest that any command
    began with to the most that any allowed.
    """
    commands = {run.provenance.command for found in runs.values() for run in found}
    first, last = [], []
    for words in (command.replace("=", " ").split() for command in commands):
        if ADAPTIVE in words:
            first.append(_number(words, "--seeds", study.seeds))
            last.append(_number(words, "--max-seeds", MOST_SEEDS))
    return max(1, max(last) - min(first) + 1) if first else 1


def _number(words: Sequence[str], option: str, default: int) -> int:
    given = words[words.index(option) + 1] if option in words[:-1] else ""
    return int(given) if given.isdecimal() and len(given) < 7 else default


def right_images(runs: Mapping[str, Sequence[Record]]) -> dict[str, list[numpy.ndarray]]:
    """Which images each run has right, of the variants all of whose runs tell it."""
    return {
        number: [right(run.correct)[: run.data["val"]] for run in each]
        for number, each in runs.items()
        if all(run.correct for run in each)
    }


def finished_runs(chosen: Selection) -> dict[str, list[Record]]:
    """Return the finished runs of each row, without rows that have none."""
    found = {number: finished(runs) for number, runs in chosen.rows.items()}
    return {number: runs for number, runs in found.items() if runs}


def cells_of(runs: Mapping[str, Sequence[Record]]) -> dict[str, Cell]:
    """Return mean, std and n of the runs of each row."""
    return {number: Cell.of([run.top1 for run in found]) for number, found in runs.items()}
