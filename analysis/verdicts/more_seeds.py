"""Choose the runs to add for verdicts that are still open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from analysis.measures import TOP1, Measure
from analysis.selection import Selection, select
from analysis.verdicts.declared import as_declared
from analysis.verdicts.diverged import OFTEN, diverged_runs
from analysis.verdicts.judge import judge, margin_of
from analysis.verdicts.runs import looks_in, measured_runs, right_images
from analysis.verdicts.verdict import UNDECIDED
from roadmap.errors import Problem
from roadmap.record import Record
from steps.studies.study import Study


def next_runs(
    study: Study,
    records: Selection | Sequence[Record],
    *,
    most: int,
    runs: int,
    data: str | None = None,
    tried: Collection[tuple[str, int]] = (),
    measure: Measure = TOP1,
    given_images: bool = False,
) -> list[tuple[str, int]]:
    """Return the next runs (row and seed) for verdicts that are open, about `runs` of them.

    Verdicts that need the fewest seeds come first. Each gets one run of each of its variants, so
    that there may be a few runs more than `runs`; in a paired study they have the same seed.
    Verdicts that are open because runs diverged get none. No seed is `most` or above, and no run is
    one of `tried`. Empty if all is decided or no seed is left. Raises Problem for a study of
    orders, which more seeds do not decide.

    Adding runs of the noisier variant only would be cheaper. But its spread is estimated from the
    same runs, and choosing by it makes false verdicts three times as frequent.
    """
    if study.design == "orders":
        raise Problem("a study of orders is decided by more samples, not by more seeds")
    selection = select(study.roadmap, records, data)
    seeds: dict[str, set[int]] = defaultdict(set)
    for number, seed in tried:
        seeds[number].add(seed)
    for number, group in selection.rows.items():
        seeds[number] |= {run.identity.seed for run in group}
    measured = measured_runs(selection, measure)
    looks = looks_in(study, measured)
    declared = as_declared(study, measured, measure)
    verdicts = judge(
        study.contrasts,
        declared.samples,
        margin_of(study, measure),
        right_images(measured, measure),
        looks={step: max(number, most - study.seeds + 1) for step, number in looks.items()},
        measure=measure,
        given_images=given_images,
        diverged=diverged_runs(selection),
        pairs=declared.pairs,
    )
    waiting = sorted(
        (
            (verdict.needed or most + 1, contrast.weights)
            for contrast, verdict in zip(study.contrasts, verdicts, strict=True)
            if verdict.verdict.startswith(UNDECIDED) and verdict.verdict != OFTEN
        ),
        key=lambda pair: pair[0],
    )
    following: dict[str, int] = {}
    for _, weights in waiting:
        if len(following) >= runs:
            break
        free = {number: set(range(most)) - seeds[number] for number in weights}
        partners = min(set().union(*free.values()), default=None)
        for number, own in free.items():
            added = partners if study.paired else min(own, default=None)
            if added is not None and added in own and number not in following:
                following[number] = added
    return list(following.items())
