"""Power of a two-sided t-test."""

from __future__ import annotations

import numpy
from scipy.optimize import brentq
from scipy.special import chdtr, stdtrit

POWER = 0.8
_NORMAL = numpy.linspace(-8, 8, 401)
_WEIGHTS = numpy.exp(-(_NORMAL**2) / 2)
_WEIGHTS /= _WEIGHTS.sum()


def power(freedom: float, shift: float, alpha: float) -> float:
    """Return how often a test at `alpha` decides a difference of `shift` standard errors.

    The event is |Z + shift| > c·S, with Z normal and S² chi-squared over its degrees of freedom:
    the probability of so small an S, averaged over Z. (scipy's noncentral t returns no number for
    very few degrees of freedom.)
    """
    critical = float(stdtrit(freedom, 1 - alpha / 2))
    return float(_WEIGHTS @ chdtr(freedom, freedom * ((_NORMAL + shift) / critical) ** 2))


def detectable(freedom: float, alpha: float) -> float:
    """Return the difference, in standard errors, that a test at `alpha` decides with POWER."""
    most = 10 + 10 * float(stdtrit(freedom, 1 - alpha / 2))
    return float(brentq(lambda shift: power(freedom, shift, alpha) - POWER, 0.0, most))
