"""A step in several sampled orders: its mean worth, and how much it depends on the order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean

import numpy
from scipy.special import fdtrc

from analysis.verdicts.statistics import Estimate, Sample, difference
from steps.studies.contrast import Contrast

ENOUGH_ORDERS = 20  # of a random sample, for a verdict of no difference
FEWEST_ORDERS = 3  # fewer tell too little of how the mean varies over orders


def over_seeds(
    samples: Mapping[str, Sample],
    parts: Sequence[Mapping[str, float]],
    *,
    complete: bool = False,
) -> Estimate:
    """Return the mean over parts with the error of seeds.

    A sample of orders has the error of other orders too. A `complete` set of orders has not.
    """
    if len(parts) >= FEWEST_ORDERS and any(parts) and not complete:
        return over_orders(samples, parts)
    return difference(samples, mean_weights(parts))


def mean_weights(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the weight of each variant in the mean over parts."""
    return Contrast(step="", title="", group="", parts=tuple(parts)).weights


def over_orders(samples: Mapping[str, Sample], parts: Sequence[Mapping[str, float]]) -> Estimate:
    """Return the mean of what a step adds over orders, with the error of seeds and of orders.

    For independent orders this is Student's t. But orders share variants, and so their noise. The
    noise that the mean has beyond that of independent orders is added, from the spread over seeds.
    With one run of a variant that noise is unknown. The scatter is then read as other orders, or as
    noise that is equal in all variants, whichever makes the mean less sure.
    """
    count = len(parts)
    mean = {
        name: sum(part.get(name, 0.0) for part in parts) / count
        for name in {name for part in parts for name in part}
    }
    values = [sum(weight * samples[name].mean for name, weight in part.items()) for part in parts]
    value, scatter = float(numpy.mean(values)), float(numpy.var(values, ddof=1))
    within = {  # of each variant: how much of its noise is in the scatter
        name: (sum(part.get(name, 0.0) ** 2 for part in parts) - count * weight**2) / (count - 1)
        for name, weight in mean.items()
    }
    variances = {name: std**2 for name in mean if (std := samples[name].std) is not None}
    if len(variances) < len(mean):
        shared = sum(weight**2 / samples[name].n for name, weight in mean.items())
        apart = sum(share / samples[name].n for name, share in within.items())
        factor = max(1 / count, shared / apart if apart > 1e-9 else 0.0)
        return Estimate(value=value, error=sqrt(scatter * factor), freedom=count - 1)
    seeds = difference(samples, mean)
    noise = sum(share * variances[name] / samples[name].n for name, share in within.items())
    apart, shared = scatter / count, max(0.0, seeds.error**2 - noise / count)
    if not apart + shared:
        return Estimate(value=value)
    freedom = (apart + shared) ** 2 / (
        apart**2 / (count - 1) + (shared**2 / seeds.freedom if shared else 0.0)
    )
    return Estimate(value=value, error=sqrt(apart + shared), freedom=freedom)


def order_dependence(
    parts: Sequence[Mapping[str, float]], samples: Mapping[str, Sample]
) -> tuple[float | None, float | None]:
    """Return how much a step varies over orders beyond the noise of seeds, and the p of none."""
    if len(parts) < FEWEST_ORDERS or not any(parts):
        return None, None
    estimates = [difference(samples, part) for part in parts if part]
    known = [estimate for estimate in estimates if estimate.error]
    if len(known) < FEWEST_ORDERS:  # one seed: order and noise cannot be told apart
        return None, None
    spread = float(numpy.var([estimate.value for estimate in known], ddof=1))
    squares = [estimate.error**2 for estimate in known]
    noise = fmean(squares)
    freedom = sum(squares) ** 2 / sum(
        square**2 / estimate.freedom for square, estimate in zip(squares, known, strict=True)
    )
    p = float(fdtrc(len(known) - 1, freedom, spread / noise))
    return max(spread - noise, 0.0) ** 0.5, p
