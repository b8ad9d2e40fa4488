"""Agreement with the paper: rank correlations of rows, and of what each step adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy
import pandas as pd
from scipy.special import ndtri

from analysis.verdicts.paper import paper_samples
from analysis.verdicts.statistics import LEVEL, Sample, difference
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
        if row.number in known and printed(table, row.number, row.step) is not None
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


def rank_correlation(
    ours: Sequence[float], theirs: Sequence[float]
) -> tuple[float, tuple[float, float] | None] | None:
    """Return Spearman's rank correlation and its 95 % interval.

    The interval is Fisher's z with Bonett and Wright's error; a perfect order has none. None for
    fewer than four pairs, or if one side is constant.
    """
    if len(ours) < 4 or len(set(ours)) == 1 or len(set(theirs)) == 1:
        return None
    # scipy.stats says the same, but its import takes half a second
    correlation = float(numpy.corrcoef(pd.Series(ours).rank(), pd.Series(theirs).rank())[0, 1])
    if abs(correlation) > 1 - 1e-12:
        return correlation, None
    error = sqrt((1 + correlation**2 / 2) / (len(ours) - 3))
    half = float(ndtri((1 + LEVEL) / 2)) * error
    middle = numpy.arctanh(correlation)
    return correlation, (float(numpy.tanh(middle - half)), float(numpy.tanh(middle + half)))
