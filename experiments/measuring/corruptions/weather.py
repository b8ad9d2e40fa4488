"""Weather: snow, frost, fog, brightness."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy
from numpy.random import Generator
from PIL import Image

from experiments.measuring.corruptions.blur import enlarged, smeared
from experiments.measuring.corruptions.noise import Pixels
from roadmap.errors import Problem

GREY = numpy.array([0.299, 0.587, 0.114])
# Photographs of frost come with this package; it is not imported, as it needs old libraries.
PACKAGE, TEXTURES = (
    "imagecorruptions",
    ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"),
)
Snow = tuple[float, float, float, float, float, float, float]


def snow(pixels: Pixels, numbers: Snow, draw: Generator) -> Pixels:
    """Whiten the image, and add a layer of flakes and the same upside down."""
    mean, spread, zoom, least, radius, sigma, kept = numbers
    flakes = enlarged(draw.normal(mean, spread, pixels.shape[:2]), zoom)
    flakes = numpy.where(flakes < least, 0.0, flakes)
    flakes = numpy.floor(flakes.clip(0, 1) * 255) / 255
    flakes = smeared(flakes, radius, sigma, draw.uniform(-135, -45))[..., None]
    grey = (pixels @ GREY)[..., None]
    whiter = kept * pixels + (1 - kept) * numpy.maximum(pixels, grey * 1.5 + 0.5)
    return whiter + flakes + numpy.rot90(flakes, k=2)


def frost(pixels: Pixels, numbers: tuple[float, float], draw: Generator) -> Pixels:
    """Mix the image with a part of a photograph of frost."""
    own, frozen = numbers
    side = pixels.shape[0]
    texture = textures(small=side <= 84)[draw.integers(len(TEXTURES))]
    if min(texture.shape[:2]) <= side:
        scale = (side + 1) / min(texture.shape[:2])
        height, width = (int(numpy.ceil(n * scale)) for n in texture.shape[:2])
        texture = numpy.asarray(Image.fromarray(texture).resize((width, height)))
    top, left = (int(draw.integers(0, n - side)) for n in texture.shape[:2])
    part = texture[top : top + side, left : left + side] / 255
    return own * pixels + frozen * part


@cache
def textures(*, small: bool) -> tuple[numpy.ndarray, ...]:
    """Return five photographs, uint8; for small images, a fifth as large. Raises Problem."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise Problem(
            f"corruption frost mixes images with photographs of frost from the package {PACKAGE}: "
            f"pip install --no-deps {PACKAGE}"
        )
    made = []
    for name in TEXTURES:
        with Image.open(Path(found.origin).parent / "frost" / name) as opened:
            image = opened.convert("RGB")
        pixels = numpy.asarray(image)
        made.append(pixels[2::5, 2::5] if small else pixels)
    return tuple(made)


def fog(pixels: Pixels, numbers: tuple[float, float], draw: Generator) -> Pixels:
    """Add a cloud of random heights, and darken so that the brightest value stays."""
    density, decay = numbers
    side, brightest = pixels.shape[0], pixels.max()
    cloud = heights(1 << (side - 1).bit_length(), decay, draw)[:side, :side, None]
    return (pixels + density * cloud) * brightest / (brightest + density)


def heights(side: int, decay: float, draw: Generator) -> numpy.ndarray:
    """Return random heights of 0 to 1 by the diamond-square algorithm; `side` is a power of two.

    At each halving of the step, midpoints of squares, then of diamonds, get the mean of their four
    neighbours and noise, which shrinks by `decay`. The map wraps around.
    """
    ground = numpy.zeros((side, side))
    step, noise = side, 100.0
    while step >= 2:
        half = step // 2
        corners = ground[::step, ::step]
        pairs = corners + numpy.roll(corners, -1, axis=0)
        ground[half::step, half::step] = _risen(pairs + numpy.roll(pairs, -1, axis=1), noise, draw)
        middles, corners = ground[half::step, half::step], ground[::step, ::step]
        sides = middles + numpy.roll(middles, 1, axis=0)
        ground[::step, half::step] = _risen(
            sides + corners + numpy.roll(corners, -1, axis=1), noise, draw
        )
        above = middles + numpy.roll(middles, 1, axis=1)
        ground[half::step, ::step] = _risen(
            above + corners + numpy.roll(corners, -1, axis=0), noise, draw
        )
        step, noise = half, noise / decay
    ground -= ground.min()
    return ground / ground.max()


def _risen(sums: numpy.ndarray, noise: float, draw: Generator) -> numpy.ndarray:
    return sums / 4 + noise * draw.uniform(-noise, noise, sums.shape)


def brightness(pixels: Pixels, more: float, draw: Generator) -> Pixels:
    """Raise the value of HSV, the largest of the three colours; hue and saturation stay."""
    largest = pixels.max(-1, keepdims=True)
    raised = (largest + more).clip(0, 1)
    scaled = pixels * raised / numpy.maximum(largest, 1e-12)
    return numpy.where(largest > 0, scaled, raised)
