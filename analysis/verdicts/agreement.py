"""Agreement with the paper: rank correlations of rows, and of what each step adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.verdicts.paper import paper_samples
from analysis.verdicts.statistics import Sample, difference, rank_correlation
from analysis.verdicts.verdict import Agreement, Verdict
from roadmap.paper import printed
from steps.studies.study import Study


def find_agreements(
    study: Study, samples: Mapping[str, Sample], verdicts: Sequence[Verdict]
) -> tuple[Agreement, ...]:
    """Return the rank correlations with the paper's table, of rows and of what each step adds."""
    table = study.roadmap.paper
    known = paper_samples(table) if table else {}
    paper = {  # a row of ours is the paper's if it has the same number and the same step
        row.number: known[row.number]
        for row in study.roadmap
        if printed(table, row.number, row.step) is not None
    }
    rows = [number for number in samples if number in paper]
    weights = {contrast.step: contrast.weights for contrast in study.contrasts}
    steps = [
        (verdict.difference, difference(paper, weights[verdict.step]).value)
        for verdict in verdicts
        if verdict.difference is not None and all(name in paper for name in weights[verdict.step])
    ]
    agreements = [
        _agreement("rows", [(samples[number].mean, paper[number].mean) for number in rows]),
        _agreement("what steps add", steps),
    ]
    return tuple(agreement for agreement in agreements if agreement is not None)


def _agreement(of: str, pairs: Sequence[tuple[float, float]]) -> Agreement | None:
    ranked = rank_correlation([ours for ours, _ in pairs], [paper for _, paper in pairs])
    if ranked is None:
        return None
    correlation, interval = ranked
    low, high = interval if interval and of != "rows" else (None, None)
    return Agreement(of=of, correlation=correlation, low=low, high=high, pairs=len(pairs))
