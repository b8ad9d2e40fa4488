"""From the runs of a selection to the numbers that are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from analysis.measures import Measure
from analysis.selection import Selection
from analysis.verdicts.statistics import Sample, right
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


def measured_runs(selection: Selection, measure: Measure) -> dict[str, list[Record]]:
    """Return the finished runs of each row that have the measure, without rows that have none."""
    runs = {
        number: [run for run in group if measure.values([run])]
        for number, group in selection.rows.items()
    }
    return {number: group for number, group in runs.items() if group}


def samples_of(runs: Mapping[str, Sequence[Record]], measure: Measure) -> dict[str, Sample]:
    """Return mean, std and n of the runs of each row."""
    return {number: Sample.of(measure.values(group)) for number, group in runs.items()}


def right_images(
    runs: Mapping[str, Sequence[Record]], measure: Measure
) -> dict[str, list[numpy.ndarray]]:
    """Return which images each run has right, of the rows all of whose runs have recorded it.

    Empty for a measure that is no proportion of images.
    """
    if not measure.of_images:
        return {}
    return {
        number: [right(run.correct)[: run.data["val"]] for run in group]
        for number, group in runs.items()
        if all(run.correct for run in group)
    }
