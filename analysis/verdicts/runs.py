"""From the runs of a selection to the numbers that are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from analysis.measures import Measure
from analysis.selection import Selection
from analysis.verdicts.images import right
from analysis.verdicts.statistics import Sample
from roadmap.record import Record
from steps.studies.study import Study

MOST_SEEDS = 8  # of a command that adds seeds until decided and names no number


def count_looks(study: Study, runs: Mapping[str, Sequence[Record]]) -> int:
    """Return how often verdicts are looked at while seeds are added until all is decided.

    There is one look for each number of seeds, from the fewest that any command started with to the
    most that any allowed; one look if no command added seeds so.
    """
    asked = [run.asked for group in runs.values() for run in group if run.asked]
    adaptive = [command for command in asked if command.until_decided]
    if not adaptive:
        return 1
    first = min(_given(command.first_seeds, study.seeds) for command in adaptive)
    most = max(_given(command.most_seeds, MOST_SEEDS) for command in adaptive)
    return max(1, most - first + 1)


def _given(number: int | None, default: int) -> int:
    return default if number is None else number


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
