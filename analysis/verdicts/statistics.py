"""Weighted differences of means with their uncertainty: intervals, tests, power, images.

Spread is taken row by row (Welch), not pooled over rows: rows of one path differ in spread by a
factor of ten in our own runs, and pooling would lend the steady rows the noise of the others.
Numbers are points of top-1. Nothing here invents a spread: where a row has one run, there is none.
"""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy
from scipy import stats
from scipy.optimize import brentq
from scipy.special import chdtr, stdtr, stdtrit

LEVEL, POWER, MOST = 0.95, 0.8, 1000


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Runs of one variant: mean, sample standard deviation (None below two runs), number."""

    mean: float
    std: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """The cell of some runs."""
        std = float(numpy.std(values, ddof=1)) if len(values) > 1 else None
        return cls(mean=float(numpy.mean(values)), std=std, n=len(values))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A difference: its standard error and degrees of freedom, None where there is no spread."""

    value: float
    error: float | None = None
    freedom: float | None = None

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """The two ends of the confidence interval (Student's t)."""
        if not self.error:
            return None
        half = self.error * float(stdtrit(self.freedom, (1 + level) / 2))
        return self.value - half, self.value + half

    @property
    def p(self) -> float | None:
        """Two-sided p of a true difference of zero."""
        if not self.error:
            return None
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.error))

    @property
    def above_zero(self) -> float | None:
        """Probability that the true difference is above zero, from a flat prior."""
        if not self.error:
            return None
        return float(stdtr(self.freedom, self.value / self.error))

    def smallest(self, alpha: float = 1 - LEVEL) -> float | None:
        """The smallest true difference that a test at `alpha` would see in four of five studies."""
        if not self.error:
            return None
        return self.error * _noncentrality(self.freedom, alpha)


def difference(samples: Mapping[str, Sample], weights: Mapping[str, float]) -> Estimate:
    """The sum of means times weights, with Welch's error and Satterthwaite's freedom."""
    value = sum(weight * samples[name].mean for name, weight in weights.items())
    if any(samples[name].std is None for name in weights):
        return Estimate(value=value)
    parts = [
        (weight**2 * samples[name].std ** 2 / samples[name].n, samples[name].n - 1)
        for name, weight in weights.items()
    ]
    variance = sum(part for part, _ in parts)
    if not variance:
        return Estimate(value=value)
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    return Estimate(value=value, error=sqrt(variance), freedom=freedom)


def over_orders(samples: Mapping[str, Sample], parts: Sequence[Mapping[str, float]]) -> Estimate:
    """The mean of what a step adds in several orders, with the error of seeds and of other orders.

    Student's over the orders, were they independent; but they share variants, and so their noise:
    what the mean has more of it than independent orders had is added, from the spread over seeds.
    With one run of a variant that is not known; the scatter is then read as whichever of the two,
    other orders or noise that is equal in all variants, makes the mean less sure.
    """
    count = len(parts)
    mean = {name: sum(part.get(name, 0.0) for part in parts) / count
            for name in {name for part in parts for name in part}}  # fmt: skip
    values = [sum(weight * samples[name].mean for name, weight in part.items()) for part in parts]
    value, scatter = float(numpy.mean(values)), float(numpy.var(values, ddof=1))
    within = {  # of each variant: how much of its noise is in the scatter
        name: (sum(part.get(name, 0.0) ** 2 for part in parts) - count * weight**2) / (count - 1)
        for name, weight in mean.items()
    }
    if any(samples[name].std is None for name in mean):
        shared = sum(weight**2 / samples[name].n for name, weight in mean.items())
        apart = sum(each / samples[name].n for name, each in within.items())
        factor = max(1 / count, shared / apart if apart > 1e-9 else 0.0)
        error = sqrt(scatter * factor)
        return Estimate(value=value, error=error or None, freedom=count - 1)
    seeds = difference(samples, mean)
    noise = sum(each * samples[name].std ** 2 / samples[name].n for name, each in within.items())
    apart, shared = scatter / count, max(0.0, (seeds.error or 0.0) ** 2 - noise / count)
    if not apart + shared:
        return Estimate(value=value)
    freedom = (apart + shared) ** 2 / (
        apart**2 / (count - 1) + (shared**2 / seeds.freedom if shared else 0.0)
    )
    return Estimate(value=value, error=sqrt(apart + shared), freedom=freedom)


def seeds_needed(
    samples: Mapping[str, Sample], weights: Mapping[str, float], alpha: float = 1 - LEVEL
) -> int | None:
    """Runs of each variant with which a true difference as large as the one seen would be seen.

    In four of five studies, by a test at `alpha`. None without a spread, or above 1,000.
    """
    seen = difference(samples, weights)
    if not seen.error or not seen.value:
        return None

    def shows(n: int) -> bool:
        more = {name: replace(samples[name], n=n) for name in weights}
        then = difference(more, weights)
        return _power(then.freedom, abs(seen.value) / then.error, alpha) >= POWER

    if not shows(MOST):
        return None
    return 2 + bisect_left(range(2, MOST + 1), True, key=shows)


def _power(freedom: float, shift: float, alpha: float) -> float:
    """How often a two-sided t-test at `alpha` sees a difference of `shift` standard errors.

    |Z + shift| > c·S, with Z normal and S² chi-squared over its degrees of freedom: the mean over
    Z of the chance of so small an S. (scipy's noncentral t has no number for very few degrees.)
    """
    critical = float(stdtrit(freedom, 1 - alpha / 2))
    return float(_WEIGHTS @ chdtr(freedom, freedom * ((_NORMAL + shift) / critical) ** 2))


def _noncentrality(freedom: float, alpha: float = 1 - LEVEL) -> float:
    """In standard errors, the difference that a two-sided t-test sees with 80 % power."""
    most = 10 + 10 * float(stdtrit(freedom, 1 - alpha / 2))
    return float(brentq(lambda shift: _power(freedom, shift, alpha) - POWER, 0.0, most))


_NORMAL = numpy.linspace(-8, 8, 401)
_WEIGHTS = numpy.exp(-(_NORMAL**2) / 2)
_WEIGHTS /= _WEIGHTS.sum()


def holm(ps: Sequence[float | None], tests: int | None = None) -> list[float | None]:
    """Holm's adjustment: of differences that are all zero, none is seen in 95 % of studies.

    `tests` is how many are planned, if more than are here: the others count as if they showed
    nothing yet, so that what a study says with few runs holds when the rest are there.
    As statsmodels' `multipletests`, which takes a tenth of a second a call to collect garbage.
    """
    order = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    least = 0.0
    for rank, (p, place) in enumerate(order):
        least = max(least, min(1.0, p * ((tests or len(order)) - rank)))
        adjusted[place] = least
    return adjusted


def right(correct: str) -> numpy.ndarray:
    """Which validation images a run had right, from its record: 0 or 1 an image, eight a byte."""
    return numpy.unpackbits(numpy.frombuffer(base64.b64decode(correct), dtype=numpy.uint8))


def over_images(
    rights: Mapping[str, Sequence[numpy.ndarray]], weights: Mapping[str, float], images: int
) -> Estimate:
    """The same difference with the error of drawing other validation images, not other seeds.

    `rights` are, by variant, the images that each run had right; the same images in all.
    """
    each = numpy.zeros(images)
    for name, weight in weights.items():
        each += weight * 100 * numpy.mean([run[:images] for run in rights[name]], axis=0)
    error = float(each.std(ddof=1)) / sqrt(images) if images > 1 else 0.0
    return Estimate(value=float(each.mean()), error=error or None, freedom=images - 1)


def rank_correlation(
    ours: Sequence[float], theirs: Sequence[float]
) -> tuple[float, tuple[float, float] | None] | None:
    """Spearman's rank correlation and its 95 % interval (Fisher's z, Bonett and Wright's error).

    None for fewer than four pairs, or where one side is constant; a perfect order has no interval.
    """
    if len(ours) < 4 or len(set(ours)) == 1 or len(set(theirs)) == 1:
        return None
    found = float(stats.spearmanr(ours, theirs).statistic)
    if abs(found) > 1 - 1e-12:
        return found, None
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * sqrt((1 + found**2 / 2) / (len(ours) - 3))
    middle = numpy.arctanh(found)
    return found, (float(numpy.tanh(middle - half)), float(numpy.tanh(middle + half)))
