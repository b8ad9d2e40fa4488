"""Weighted differences of means with their uncertainty: intervals, tests, runs needed.

Spread is taken row by row (Welch) and not pooled: rows of one path differ in spread by a factor of
ten in our own runs, and pooling would give steady rows the noise of others. Nothing here invents a
spread: a row with one run has none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot, inf, sqrt

import numpy
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from analysis.verdicts.power import POWER, detectable, power

LEVEL, MOST = 0.95, 1000
LEAST_POWER = -100  # a p below 10 to this power is written as that
LEAST = 10.0**LEAST_POWER


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Runs of one variant: mean, sample standard deviation (None below two runs), number.

    `prior` is the degrees of freedom that a moderated standard deviation has beyond n - 1, and
    `pooled` the most that it can have: those of all rows together.
    """

    mean: float
    std: float | None
    n: int
    prior: float = 0.0
    pooled: float = inf

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """Return the sample of some numbers."""
        std = float(numpy.std(values, ddof=1)) if len(values) > 1 else None
        return cls(mean=float(numpy.mean(values)), std=std, n=len(values))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A difference with its standard error, 0 if there is no spread, and degrees of freedom.

    `sources` are error and freedom of each independent source, if there are several.
    """

    value: float
    error: float = 0.0
    freedom: float = 1.0
    sources: tuple[tuple[float, float], ...] = ()

    def half_width(self, alpha: float) -> float:
        """Return half the width of the interval at level 1 - alpha.

        Of several sources it is the root of the sum of their squared half widths (Banerjee, 1960),
        so it is never narrower than that of one. Satterthwaite's freedom for the sum would be: if a
        few runs happen to agree, it is nearly that of the many images.
        """
        return hypot(*self._halves(alpha))

    def _halves(self, alpha: float) -> list[float]:
        sources = self.sources or ((self.error, self.freedom),)
        return [-error * float(stdtrit(freedom, alpha / 2)) for error, freedom in sources]

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return the two ends of the confidence interval (Student's t)."""
        if not self.error:
            return None
        half = self.half_width(1 - level)
        return self.value - half, self.value + half

    @property
    def p(self) -> float | None:
        """Two-sided p of a true difference of zero: the interval at level 1 - p ends there."""
        if not self.error:
            return None
        if not self.sources:
            return float(2 * stdtr(self.freedom, -abs(self.value) / self.error))
        if self.half_width(LEAST) <= abs(self.value):
            return LEAST
        beyond = brentq(lambda power: self.half_width(10**power) - abs(self.value), LEAST_POWER, 0)
        return float(10**beyond)

    def plus(self, other: Estimate | None) -> Estimate:
        """Return the same difference with the error of an independent source added.

        Without an error of its own it stays as it is: the other source alone decides nothing.
        """
        if not self.error or other is None or not other.error:
            return self
        own, its = self.error**2, other.error**2
        freedom = (own + its) ** 2 / (own**2 / self.freedom + its**2 / other.freedom)
        sources = [one.sources or ((one.error, one.freedom),) for one in (self, other)]
        return replace(
            self, error=sqrt(own + its), freedom=freedom, sources=(*sources[0], *sources[1])
        )

    def threshold(self, alpha: float) -> tuple[float, float]:
        """Return the half width at `alpha` in standard errors, and the freedom it varies with."""
        if not self.sources:
            return self.half_width(alpha) / self.error, self.freedom
        squares = [half**2 for half in self._halves(alpha)]
        parts = zip(squares, self.sources, strict=True)
        freedom = sum(squares) ** 2 / sum(square**2 / free for square, (_, free) in parts)
        return sqrt(sum(squares)) / self.error, freedom

    def smallest(self, alpha: float = 1 - LEVEL) -> float | None:
        """Return the minimum detectable effect: decided at `alpha` with 80 % power."""
        if not self.error:
            return None
        critical, freedom = self.threshold(alpha)
        return self.error * detectable(freedom, critical)


def difference(samples: Mapping[str, Sample], weights: Mapping[str, float]) -> Estimate:
    """Return the sum of means times weights, with Welch's error and Satterthwaite's freedom.

    Moderated samples share their prior, so its freedom counts once, up to that of all rows.
    """
    value = sum(weight * samples[name].mean for name, weight in weights.items())
    parts = []
    for name, weight in weights.items():
        sample = samples[name]
        if sample.std is None:
            return Estimate(value=value)
        parts.append((weight**2 * sample.std**2 / sample.n, sample.n - 1))
    variance = sum(part for part, _ in parts)
    if not variance:
        return Estimate(value=value)
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    moderated = [samples[name] for name in weights if samples[name].prior]
    if moderated:
        freedom += min(sample.prior for sample in moderated)
        freedom = min(freedom, *(sample.pooled for sample in moderated))
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
        critical, freedom = more.threshold(alpha)
        return power(freedom, abs(effect) / more.error, critical) >= POWER

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
