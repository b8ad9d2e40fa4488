"""Power of a two-sided t-test."""

from __future__ import annotations

import numpy
from scipy.optimize import brentq
from scipy.special import chdtr

POWER = 0.8
_NORMAL = numpy.linspace(-8, 8, 401)
_WEIGHTS = numpy.exp(-(_NORMAL**2) / 2)
_WEIGHTS /= _WEIGHTS.sum()


def power(freedom: float, shift: float, critical: float) -> float:
    """Return how often a difference of `shift` standard errors is beyond `critical` of them.

    The event is |Z + shift| > c·S, with Z normal and S² chi-squared over its degrees of freedom:
    the probability of so small an S, averaged over Z. (scipy's noncentral t returns no number for
    very few degrees of freedom.)
    """
    return float(_WEIGHTS @ chdtr(freedom, freedom * ((_NORMAL + shift) / critical) ** 2))


def detectable(freedom: float, critical: float) -> float:
    """Return the difference, in standard errors, that is beyond `critical` with POWER."""
    most = 10 + 10 * critical
    return float(brentq(lambda shift: power(freedom, shift, critical) - POWER, 0.0, most))
