"""Which runs to add where a verdict is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from analysis.selection import select
from analysis.verdicts.judge import judge
from analysis.verdicts.runs import cells_of, count_looks, finished_runs
from analysis.verdicts.verdict import UNDECIDED
from roadmap.errors import Problem
from roadmap.record import Record
from steps.studies.study import Study


def next_runs(
    study: Study,
    records: Sequence[Record],
    *,
    most: int,
    runs: int,
    data: str | None = None,
    tried: Collection[tuple[str, int]] = (),
) -> list[tuple[str, int]]:
    """Where to spend the next `runs`: variants and seeds, of the verdicts that are still open.

    For each open verdict, those first that need fewest seeds, a run of each of its variants; none
    beyond `most` seeds and none of those `tried`. (Of the noisier variant alone would be cheaper,
    but choosing by spreads that were themselves estimated from these runs makes false verdicts
    three times as frequent.) Verdicts are served whole, so that there may be a few runs more. Empty
    where all is decided, or no more may be had. Raises Problem for orders, which more seeds do not
    decide.
    """
    if study.design == "orders":
        raise Problem("a study of orders is decided by more samples, not by more seeds")
    chosen = select(study.roadmap, records, data)
    seeds = defaultdict(set)
    for number, seed in tried:
        seeds[number].add(seed)
    for number, found in chosen.rows.items():
        seeds[number] |= {run.identity.seed for run in found}
    done = finished_runs(chosen)
    cells, looks = cells_of(done), max(count_looks(study, done), most - study.seeds + 1)
    judged = zip(
        study.contrasts, judge(study.contrasts, cells, study.margin, looks=looks), strict=True
    )
    waiting = sorted(
        (
            (verdict.needed or most + 1, contrast.weights)
            for contrast, verdict in judged
            if verdict.verdict.startswith(UNDECIDED)
        ),
        key=lambda each: each[0],
    )
    next_ones: dict[str, int] = {}
    for _, weights in waiting:
        if len(next_ones) >= runs:
            break
        for number in weights:
            free = set(range(most)) - seeds[number]
            if free and number not in next_ones:
                next_ones[number] = min(free)
    return list(next_ones.items())
