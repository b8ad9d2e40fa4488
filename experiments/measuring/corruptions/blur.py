"""Blur: defocus, frosted glass, motion, zoom."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, hypot, pi, radians, sin

import numpy
from numpy.random import Generator
from scipy import ndimage

from experiments.measuring.corruptions.noise import Pixels


def defocus_blur(pixels: Pixels, numbers: tuple[float, float], draw: Generator) -> Pixels:
    """Average over a disk of a radius, whose edge is softened by a Gaussian."""
    kernel = disk(*numbers)
    channels = [ndimage.correlate(pixels[..., c], kernel, mode="mirror") for c in range(3)]
    return numpy.stack(channels, axis=-1)


def disk(radius: float, softened: float) -> numpy.ndarray:
    """Return the kernel: a disk on a grid of at least 17 × 17, softened by a small Gaussian."""
    reach, size = (8, 3) if radius <= 8 else (int(radius), 5)
    place = numpy.arange(-reach, reach + 1)
    inside = (place[None] ** 2 + place[:, None] ** 2 <= radius**2).astype(numpy.float64)
    inside /= inside.sum()
    offset = numpy.arange(size) - size // 2
    weights = numpy.exp(-(offset**2) / (2 * softened**2))
    weights /= weights.sum()
    for axis in (0, 1):
        inside = ndimage.correlate1d(inside, weights, axis=axis, mode="mirror")
    return inside


def glass_blur(pixels: Pixels, numbers: tuple[float, int, int], draw: Generator) -> Pixels:
    """Blur, let pixels take the colour of a near one, and blur again.

    The published code means to swap two pixels but overwrites the first before it reads it, so a
    pixel is copied over its neighbour. The published images were made like this.
    """
    sigma, reach, times = numbers
    soft = numpy.floor(_gaussian(pixels, sigma) * 255) / 255
    side = pixels.shape[0]
    place = numpy.arange(side * side).tolist()
    lines = range(side - reach, reach, -1)
    for _ in range(times):
        moves = draw.integers(-reach, reach, size=(len(lines), len(lines), 2))
        offsets = (moves[..., 1] * side + moves[..., 0]).tolist()
        for row, by_row in zip(lines, offsets, strict=True):
            start = row * side
            for column, offset in zip(lines, by_row, strict=True):
                place[start + column] = place[start + column + offset]
    moved = soft.reshape(-1, 3)[place].reshape(soft.shape)
    return _gaussian(moved, sigma)


def _gaussian(pixels: Pixels, sigma: float) -> Pixels:
    return ndimage.gaussian_filter(pixels, (sigma, sigma, 0), mode="nearest", truncate=4.0)


def motion_blur(pixels: Pixels, numbers: tuple[float, float], draw: Generator) -> Pixels:
    """Smear along a random direction, up to 45 degrees from horizontal."""
    return smeared(pixels, *numbers, draw.uniform(-45, 45))


def smeared(pixels: numpy.ndarray, radius: float, sigma: float, angle: float) -> numpy.ndarray:
    """Average along a line to one side, with half a Gaussian as weights, as ImageMagick does.

    `angle` is in degrees; the image continues with its edge. (height, width) or (height, width, 3).
    """
    count = 2 * ceil(radius) + 1
    weights = numpy.exp(-(numpy.arange(count) ** 2) / (2 * sigma**2)) / (sigma * (2 * pi) ** 0.5)
    weights /= weights.sum()
    down, across = count * sin(radians(angle)), count * cos(radians(angle))
    height, width = pixels.shape[:2]
    rows, columns = numpy.arange(height), numpy.arange(width)
    total = numpy.zeros(pixels.shape)
    for step, weight in enumerate(weights):
        right = ceil(step * across / hypot(down, across) - 0.5)
        below = ceil(step * down / hypot(down, across) - 0.5)
        picked_rows = (rows + below).clip(0, height - 1)
        picked_columns = (columns + right).clip(0, width - 1)
        total += weight * pixels[picked_rows[:, None], picked_columns[None]]
    return total


def zoom_blur(pixels: Pixels, factors: Sequence[float], draw: Generator) -> Pixels:
    """Average the image with itself, enlarged by each of the factors."""
    total = pixels.copy()
    for factor in factors:
        total += enlarged(pixels, factor)
    return total / (len(factors) + 1)


def enlarged(pixels: numpy.ndarray, factor: float) -> numpy.ndarray:
    """Return the middle of a square image, enlarged to its whole size, linearly."""
    side = pixels.shape[0]
    part = ceil(side / factor)
    start = (side - part) // 2
    middle = pixels[start : start + part, start : start + part]
    larger = ndimage.zoom(middle, (factor, factor, 1)[: pixels.ndim], order=1)
    trim = (larger.shape[0] - side) // 2
    return larger[trim : trim + side, trim : trim + side]
