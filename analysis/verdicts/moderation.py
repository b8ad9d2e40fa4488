"""Moderated variances: each row's spread is drawn towards that of all rows (Smyth, 2004; limma).

With three runs of each row a spread is known to a factor of two or more. If the true spreads are
alike, rows can lend each other degrees of freedom. If they differ, steady rows get the noise of
others, and verdicts err: so moderation is declared by a study, and refused by a test of evenness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, inf, log

import numpy
from scipy.optimize import brentq
from scipy.special import chdtrc, digamma, polygamma

from analysis.verdicts.statistics import Sample

EVEN = 0.05  # below this p the spreads of rows differ
FEWEST_ROWS = 3  # with a spread, to estimate how spreads vary


@dataclass(frozen=True, kw_only=True)
class Moderated:
    """Samples with moderated variances, or as they were; `note` says which, and why."""

    samples: Mapping[str, Sample]
    note: str


def moderate(samples: Mapping[str, Sample]) -> Moderated:
    """Return samples whose variances are moderated if the spreads of rows are even.

    `std` becomes the root of (d₀·s₀² + d·s²) / (d₀ + d), and the freedom grows by d₀, up to that of
    all rows together. The prior variance s₀² and its freedom d₀ are fitted to all rows with two or
    more runs. Rows with one run stay without a spread.
    """
    known = {
        name: sample.std
        for name, sample in samples.items()
        if sample.std is not None and sample.std
    }
    if len(known) < FEWEST_ROWS:
        return Moderated(
            samples=samples, note=f"{_REFUSED}: they need {FEWEST_ROWS} rows with a spread"
        )
    p = evenness({name: samples[name] for name in known})
    if p < EVEN:
        why = f"the spreads of rows differ (Bartlett's test, p {p:.2g}, below {EVEN:g})"
        return Moderated(samples=samples, note=f"{_REFUSED}: {why}; each row keeps its own")
    variance, freedom = prior(
        [std**2 for std in known.values()], [samples[name].n - 1 for name in known]
    )
    pooled = float(sum(samples[name].n - 1 for name in known))
    moderated = {
        name: _drawn(sample, variance, freedom, pooled) if name in known else sample
        for name, sample in samples.items()
    }
    strength = "all rows share one" if freedom == inf else f"prior freedom {freedom:.1f}"
    note = (
        f"variances are moderated, as the study declares: prior std {variance**0.5:.2g}, "
        f"{strength}; the spreads show no difference (Bartlett's test, p {p:.2g})"
    )
    return Moderated(samples=moderated, note=note)


_REFUSED = "the study declares moderated variances, but they are refused"


def _drawn(sample: Sample, variance: float, freedom: float, pooled: float) -> Sample:
    assert sample.std is not None
    own = sample.n - 1
    if freedom == inf:
        return replace(sample, std=variance**0.5, prior=inf, pooled=pooled)
    mixed = (freedom * variance + own * sample.std**2) / (freedom + own)
    return replace(sample, std=mixed**0.5, prior=freedom, pooled=pooled)


def evenness(samples: Mapping[str, Sample]) -> float:
    """Return p of Bartlett's test that all samples, with two or more runs, have one variance."""
    stds = numpy.array([sample.std for sample in samples.values()], dtype=float)
    free = numpy.array([sample.n - 1 for sample in samples.values()], dtype=float)
    pooled = float((free * stds**2).sum() / free.sum())
    statistic = free.sum() * log(pooled) - float((free * numpy.log(stds**2)).sum())
    scale = 1 + (float((1 / free).sum()) - 1 / free.sum()) / (3 * (len(stds) - 1))
    return float(chdtrc(len(stds) - 1, statistic / scale))


def prior(variances: list[float], freedoms: list[int]) -> tuple[float, float]:
    """Return the prior variance and its degrees of freedom, infinite if all variances are one.

    Fits a scaled F distribution by the moments of the log variances (Smyth, 2004, section 6.2). If
    these vary no more than by chance, all rows share one variance, which is then the pooled one.
    """
    half = numpy.array(freedoms, dtype=float) / 2
    logs = numpy.log(numpy.array(variances)) - digamma(half) + numpy.log(half)
    excess = float(logs.var(ddof=1) - polygamma(1, half).mean())
    if excess <= 0:
        return float(numpy.average(variances, weights=freedoms)), inf
    d0 = 2 * float(brentq(lambda x: float(polygamma(1, x)) - excess, 1e-6, 1e9))
    return exp(float(logs.mean() + digamma(d0 / 2) - log(d0 / 2))), d0
