"""The probability that a step is an improvement, shrunk by what the study's other steps show."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, median

from scipy.special import stdtr

from analysis.verdicts.statistics import Estimate

FEWEST_OTHERS = 3  # fewer tell too little of how large effects are


def above_zero(estimates: Sequence[Estimate | None]) -> list[float | None]:
    """Return the probability that each true difference is above zero.

    True differences are taken as normal around zero, with the variance that the other steps show
    beyond their errors. An error below the study's median counts as the median: with two or three
    runs a small spread is mostly luck. None without an error.
    """
    known = [estimate for estimate in estimates if estimate is not None and estimate.error]
    usual = median([estimate.error**2 for estimate in known]) if known else 0.0
    return [
        _above_zero(estimate, known, usual) if estimate is not None and estimate.error else None
        for estimate in estimates
    ]


def _above_zero(estimate: Estimate, known: Sequence[Estimate], usual: float) -> float:
    others = [other for other in known if other is not estimate]
    if len(others) < FEWEST_OTHERS:
        others = list(known)
    effects = max(0.0, fmean(other.value**2 - other.error**2 for other in others))
    error = max(estimate.error**2, usual)
    shrunk = estimate.value / sqrt(error) * sqrt(effects / (effects + error))
    return float(stdtr(estimate.freedom, shrunk))
