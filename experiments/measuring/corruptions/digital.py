"""Digital: contrast, elastic distortion, pixelation, JPEG compression."""

from __future__ import annotations

import io

import numpy
from numpy.random import Generator
from PIL import Image
from scipy import ndimage

from experiments.measuring.corruptions.noise import Pixels


def contrast(pixels: Pixels, kept: float, draw: Generator) -> Pixels:
    """Keep this share of the distance from the mean of each colour."""
    mean = pixels.mean((0, 1), keepdims=True)
    return (pixels - mean) * kept + mean


def elastic_transform(
    pixels: Pixels, numbers: tuple[float, float, float], draw: Generator
) -> Pixels:
    """Move three points at random, bend the image to them, then shift pixels along smooth waves.

    The numbers are shares of the image's side: height of the waves, their smoothness, reach of the
    points.
    """
    side = pixels.shape[0]
    height, smooth, reach = (share * side for share in numbers)
    centre, size = side // 2, side // 3
    points = numpy.array(
        [
            [centre + size, centre + size],
            [centre + size, centre - size],
            [centre - size, centre - size],
        ],
        dtype=float,
    )
    moved = points + draw.uniform(-reach, reach, points.shape)
    ones = numpy.ones((3, 1))
    back = numpy.linalg.solve(numpy.hstack([moved, ones]), points).T  # of (x, y, 1)
    x, y = numpy.meshgrid(numpy.arange(side), numpy.arange(side))
    source_x, source_y = (row[0] * x + row[1] * y + row[2] for row in back)
    bent = _sampled(pixels, source_y, source_x, "mirror")
    waves = [
        height
        * ndimage.gaussian_filter(
            draw.uniform(-1, 1, (side, side)), smooth, mode="reflect", truncate=3
        )
        for _ in range(2)
    ]
    return _sampled(bent, y + waves[1], x + waves[0], "reflect")


def _sampled(pixels: Pixels, rows: numpy.ndarray, columns: numpy.ndarray, mode: str) -> Pixels:
    """Return the colours at fractional places, linearly."""
    channels = [
        ndimage.map_coordinates(pixels[..., c], [rows, columns], order=1, mode=mode)
        for c in range(3)
    ]
    return numpy.stack(channels, axis=-1)


def pixelate(pixels: Pixels, share: float, draw: Generator) -> Pixels:
    """Shrink to this share of the side, and enlarge again, both by boxes."""
    image, side = as_image(pixels), pixels.shape[0]
    small = max(1, int(side * share))
    box = Image.Resampling.BOX
    return numpy.asarray(image.resize((small, small), box).resize((side, side), box)) / 255


def jpeg_compression(pixels: Pixels, quality: int, draw: Generator) -> Pixels:
    """Store and read as JPEG of this quality."""
    file = io.BytesIO()
    as_image(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file, formats=("JPEG",)) as opened:
        return numpy.asarray(opened.convert("RGB")) / 255


def as_image(pixels: Pixels) -> Image.Image:
    """Return pixels of 0 to 1 as an image."""
    return Image.fromarray(numpy.rint(pixels * 255).astype(numpy.uint8))
