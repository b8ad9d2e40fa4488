"""From the runs of a selection to the numbers that are judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy

from analysis.measures import Measure
from analysis.selection import Selection
from analysis.tables.cells import span
from analysis.verdicts.images import right
from analysis.verdicts.statistics import Sample
from roadmap.evaluation import Evaluation, unpack_scores
from roadmap.record import Record
from steps.studies.contrast import Contrast
from steps.studies.study import Study

FEWEST_SEEDS = 2  # of a variant, for a verdict
MOST_SEEDS = 8  # of a command that adds seeds until decided and names no number


def count_looks(
    contrasts: Sequence[Contrast],
    runs: Mapping[str, Sequence[Record]],
    *,
    seeds: int = 1,
    fewest: int = FEWEST_SEEDS,
) -> dict[str, int]:
    """Return how often each step's verdict was looked at, or could be, while seeds were added.

    `seeds` are what a command without --seeds gives each variant, `fewest` those that a verdict
    needs.

    A look is a number of seeds at which a verdict could be read before a later command added seeds
    to one of its variants. While seeds are added until all is decided, each number of seeds is a
    look: from the fewest that any command started with to the most that any allowed.
    """
    asked = [run.asked for group in runs.values() for run in group if run.asked]
    adaptive = [command for command in asked if command.until_decided]
    planned: set[int] = set()
    if adaptive:
        first = min(_given(command.first_seeds, seeds) for command in adaptive)
        most = max(_given(command.most_seeds, MOST_SEEDS) for command in adaptive)
        planned = set(range(first, most + 1))
    return {
        contrast.step: _looks(contrast.weights, runs, fewest, planned) for contrast in contrasts
    }


def looks_in(study: Study, runs: Mapping[str, Sequence[Record]]) -> dict[str, int]:
    """Return the looks at each step of a study; in one of orders, one seed gives a verdict."""
    fewest = FEWEST_SEEDS if study.design != "orders" else 1
    return count_looks(study.contrasts, runs, seeds=study.seeds, fewest=fewest)


def looks_note(looks: Mapping[str, int]) -> list[str]:
    """Say how many looks p counts, if there is more than one."""
    if max(looks.values(), default=1) < 2:
        return []
    return [f"seeds were added in steps: p counts {span(looks.values())} looks at the runs"]


def _looks(
    names: Collection[str], runs: Mapping[str, Sequence[Record]], fewest: int, planned: set[int]
) -> int:
    """Return the looks at one contrast; `planned` are the numbers of seeds of adaptive commands."""
    if any(name not in runs for name in names):
        return max(1, len(planned))
    stages = _stages({name: runs[name] for name in names})
    readable = {counts for counts in stages if min(counts, default=0) >= fewest}
    if planned:
        return len(planned | {min(counts) for counts in readable})
    return max(1, len(readable))


def _stages(runs: Mapping[str, Sequence[Record]]) -> set[tuple[int, ...]]:
    """Return the numbers of runs of each variant after each command that added some.

    A command is its text and commit: repeating it resumes the same plan. Commands at the same time
    count as one.
    """
    commands: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
    for name, group in runs.items():
        for made in (run.provenance for run in group):
            commands[made.command, made.commit].append((made.started, made.finished, name))
    counts = dict.fromkeys(runs, 0)
    stages, finished = set(), ""
    for command in sorted(commands.values(), key=min):
        if finished and min(command)[0] >= finished:
            stages.add(tuple(counts.values()))
        for _, end, name in command:
            counts[name] += 1
            finished = max(finished, end)
    stages.add(tuple(counts.values()))
    return stages


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

    For a measure by `roadmap evaluate`, it is the result of each image. Empty for a measure without
    results per image.
    """
    if (scores := measure.scores) is not None:
        return {
            number: [_results(scores(run), run.evaluations[measure.key], measure) for run in group]
            for number, group in runs.items()
            if all(scores(run) for run in group)
        }
    if not measure.of_images:
        return {}
    return {
        number: [right(run.correct)[: run.data["val"]] for run in group]
        for number, group in runs.items()
        if all(run.correct for run in group)
    }


def _results(scores: str, evaluation: Evaluation, measure: Measure) -> numpy.ndarray:
    """Return the result of each image; percentages are shares, others a hundredth."""
    results = numpy.asarray(unpack_scores(scores)[: evaluation.images])
    return results if measure.is_percentage else results / 100
