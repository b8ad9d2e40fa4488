"""Noise: Gaussian, shot and impulse."""

from __future__ import annotations

import numpy
from numpy.random import Generator

Pixels = numpy.ndarray  # (height, width, 3), 0 to 1


def gaussian_noise(pixels: Pixels, scale: float, draw: Generator) -> Pixels:
    """Add normal noise of this standard deviation."""
    return pixels + draw.normal(0, scale, pixels.shape)


def shot_noise(pixels: Pixels, photons: float, draw: Generator) -> Pixels:
    """Draw each value as a count of photons, of which white has this many on average."""
    return draw.poisson(pixels * photons) / photons


def impulse_noise(pixels: Pixels, amount: float, draw: Generator) -> Pixels:
    """Set this share of values to 0 or 1, equally often, each colour by itself."""
    hit = draw.random(pixels.shape) <= amount
    white = draw.random(pixels.shape) <= 0.5
    return numpy.where(hit, white.astype(pixels.dtype), pixels)
