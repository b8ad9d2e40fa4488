"""Weighted differences of means with their uncertainty: intervals, tests, runs needed.

Spread is taken row by row (Welch) and not pooled: rows of one path differ in spread by a factor of
ten in our own runs, and pooling would give steady rows the noise of others. Nothing here invents a
spread: a row with one run has none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy
from scipy.special import stdtr, stdtrit

from analysis.verdicts.power import POWER, detectable, power

LEVEL, MOST = 0.95, 1000


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Runs of one variant: mean, sample standard deviation (None below two runs), number.

    `prior` is the degrees of freedom that a moderated standard deviation has beyond n - 1.
    """

    mean: float
    std: float | None
    n: int
    prior: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """Return the sample of some numbers."""
        std = float(numpy.std(values, ddof=1)) if len(values) > 1 else None
        return cls(mean=float(numpy.mean(values)), std=std, n=len(values))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A difference with its standard error, 0 if there is no spread, and degrees of freedom."""

    value: float
    error: float = 0.0
    freedom: float = 1.0

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return the two ends of the confidence interval (Student's t)."""
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

    def plus(self, other: Estimate | None) -> Estimate:
        """Return the same difference with the error of an independent source added.

        Without an error of its own it stays as it is: the other source alone decides nothing.
        """
        if not self.error or other is None or not other.error:
            return self
        own, its = self.error**2, other.error**2
        freedom = (own + its) ** 2 / (own**2 / self.freedom + its**2 / other.freedom)
        return replace(self, error=sqrt(own + its), freedom=freedom)

    def smallest(self, alpha: float = 1 - LEVEL) -> float | None:
        """Return the minimum detectable effect: decided at `alpha` with 80 % power."""
        return self.error * detectable(self.freedom, alpha) if self.error else None


def difference(samples: Mapping[str, Sample], weights: Mapping[str, float]) -> Estimate:
    """Return the sum of means times weights, with Welch's error and Satterthwaite's freedom."""
    value = sum(weight * samples[name].mean for name, weight in weights.items())
    parts = []
    for name, weight in weights.items():
        sample = samples[name]
        if sample.std is None:
            return Estimate(value=value)
        parts.append((weight**2 * sample.std**2 / sample.n, sample.n - 1 + sample.prior))
    variance = sum(part for part, _ in parts)
    if not variance:
        return Estimate(value=value)
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    return Estimate(value=value, error=sqrt(variance), freedom=freedom)


def seeds_needed(
    samples: Mapping[str, Sample],
    weights: Mapping[str, float],
    alpha: float = 1 - LEVEL,
    images: Estimate | None = None,
    effect: float | None = None,
) -> int | None:
    """Return the runs per variant that decide a true `effect` at `alpha` with 80 % power.

    `effect` is by default the observed difference. `images` is the error of images, which more
    runs do not reduce. None without a spread, or above 1,000 runs.
    """
    observed = difference(samples, weights)
    effect = observed.value if effect is None else effect
    if not observed.error or not effect:
        return None

    def decides(n: int) -> bool:
        larger = {name: replace(samples[name], n=n) for name in weights}
        more = difference(larger, weights).plus(images)
        return power(more.freedom, abs(effect) / more.error, alpha) >= POWER

    if not decides(MOST):
        return None
    return 2 + bisect_left(range(2, MOST + 1), True, key=decides)


def range_needed(
    samples: Mapping[str, Sample],
    weights: Mapping[str, float],
    alpha: float = 1 - LEVEL,
    images: Estimate | None = None,
) -> tuple[int | None, int | None]:
    """Return the runs needed for the largest and the smallest effect in the 80 % interval.

    None above 1,000 runs. An interval around zero holds effects that no number of runs decides.
    """
    ends = difference(samples, weights).plus(images).interval(0.8)
    if ends is None:
        return None, None
    low, high = sorted(map(abs, ends))
    fewest = seeds_needed(samples, weights, alpha, images, high)
    if ends[0] <= 0 <= ends[1]:
        return fewest, None
    return fewest, seeds_needed(samples, weights, alpha, images, low)


def holm_levels(ps: Sequence[float | None], tests: int | None = None) -> list[float | None]:
    """Return by how much Holm divides the level of each test: an interval at it agrees with `holm`.

    The interval excludes zero exactly if the adjusted p is below 5 %. Tests that are not decided
    share the divisor at which the first of them failed.
    """
    order = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    divisors: list[float | None] = [None] * len(ps)
    count, failed = tests or len(order), 0
    for rank, (p, place) in enumerate(order):
        if not failed and p * (count - rank) >= 1 - LEVEL:
            failed = count - rank
        divisors[place] = float(failed or count - rank)
    return divisors


def holm(ps: Sequence[float | None], tests: int | None = None) -> list[float | None]:
    """Return p values adjusted by Holm: without true differences, 95 % of studies show none.

    `tests` is the planned number, if it is larger than the number of p values. The others count as
    if they showed nothing, so that what a study says with few runs still holds when the rest are
    done. Equal to statsmodels' `multipletests`, which spends a tenth of a second a call on garbage
    collection.
    """
    order = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    least = 0.0
    for rank, (p, place) in enumerate(order):
        least = max(least, min(1.0, p * ((tests or len(order)) - rank)))
        adjusted[place] = least
    return adjusted
