"""Draw images of random iterated function systems with whole numbers only.

The same seed gives the same bytes on every machine and with every NumPy, so all arithmetic is
on int64. Numbers between pixels are fixed point (ONE = 1.0), and a product is shifted back by BITS.
Randomness is the raw output of a bit generator, which NumPy promises never to change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

BITS = 16
ONE = 1 << BITS
STEPS, WARM_UP = 64, 16  # of each chain of the chaos game; the warm-up reaches the attractor
JITTER = 8  # per cent, up or down, of each parameter: this decides most how hard the set is
BLOCK = 25  # images drawn at once: bounds the memory of the working arrays


class Draws:
    """One private stream of random integers for each of several images, read in parallel."""

    def __init__(self, keys: Sequence[tuple[int, ...]]):
        self.streams = [np.random.Philox(np.random.SeedSequence(key)) for key in keys]

    def octets(self, number: int) -> np.ndarray:
        """Uint8 (images, number), eight from each raw word, lowest first on either endianness."""
        words = np.stack([stream.random_raw(-(-number // 8)) for stream in self.streams])
        return words.astype("<u8").view(np.uint8)[:, :number]

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Int64 (images, *shape) in low…high-1, for spans below 2³¹."""
        words = np.stack([stream.random_raw(int(np.prod(shape))) for stream in self.streams])
        parts = (words >> np.uint64(32)).astype(np.int64)
        return (low + (parts * (high - low) >> 32)).reshape(len(words), *shape)


def circle(tangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cosine and sine of twice the angle with this tangent, a rational point."""
    square = tangent * tangent
    length = ONE * ONE + square
    return (ONE * ONE - square) * ONE // length, 2 * tangent * ONE * ONE // length


def affine_maps(parameters: np.ndarray) -> np.ndarray:
    """Return coefficients a, b, c, d, e, f of x, y ↦ ax + by + e, cx + dy + f.

    Parameters (images, 6, maps) are two half-angle tangents, two singular values and the shift:
    turn, stretch, turn again, move. A map is a contraction if its singular values are below one.
    """
    first, second, wide, narrow, right, up = np.moveaxis(parameters, 1, 0)
    (cos1, sin1), (cos2, sin2) = circle(first), circle(second)
    a = cos2 * wide * cos1 - sin2 * narrow * sin1 >> 2 * BITS
    b = -cos2 * wide * sin1 - sin2 * narrow * cos1 >> 2 * BITS
    c = sin2 * wide * cos1 + cos2 * narrow * sin1 >> 2 * BITS
    d = -sin2 * wide * sin1 + cos2 * narrow * cos1 >> 2 * BITS
    return np.stack([a, b, c, d, right, up], axis=1)


def chaos_game(
    parameters: np.ndarray, octets: np.ndarray, system: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points x, y and the last map taken, each int64 (images, STEPS * chains).

    parameters (images, 6, maps); octets (images, (WARM_UP + STEPS) * chains) choose the maps. A map
    is chosen in proportion to its area in the system (6, maps) without jitter, plus a little.
    """
    images, _, maps = parameters.shape
    area = np.abs(system[2] * system[3] >> BITS) + ONE // 50
    bounds = 256 * np.cumsum(area) // np.sum(area)
    choices = np.take(np.searchsorted(bounds[:-1], np.arange(256), side="right"), octets)
    choices = choices.reshape(images, WARM_UP + STEPS, -1) + maps * np.arange(images)[:, None, None]
    coefficients = np.moveaxis(affine_maps(parameters), 1, 0).reshape(6, -1)
    x, y = np.zeros((2, images, choices.shape[2]), dtype=np.int64)
    path = np.empty((2, images, WARM_UP + STEPS, choices.shape[2]), dtype=np.int64)
    for step in range(WARM_UP + STEPS):
        a, b, c, d, e, f = (np.take(values, choices[:, step]) for values in coefficients)
        x, y = (a * x + b * y >> BITS) + e, (c * x + d * y >> BITS) + f
        path[0, :, step], path[1, :, step] = x, y
    x, y = path[:, :, WARM_UP:].reshape(2, images, -1)
    return x, y, (choices[:, WARM_UP:] % maps).reshape(images, -1)


def framed(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move each image's bounding box onto the square from -ONE to ONE."""

    def along(points: np.ndarray) -> np.ndarray:
        low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
        return (2 * points - low - high) * (ONE * ONE // np.maximum(high - low, 1)) >> BITS

    return along(x), along(y)


def histogram(
    x: np.ndarray, y: np.ndarray, size: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Count points in each cell of the square -ONE…ONE, or add up their weights.

    Return int64 (images, size, size). Points outside are dropped. All sums are integers below 2⁵³,
    so float64 holds them exactly.
    """
    images = len(x)
    column, row = ((p + ONE) * size >> BITS + 1 for p in (x, y))
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    cell = ((np.arange(images)[:, None] * size + row) * size + column)[inside]
    weights = None if weights is None else weights[inside]
    counts = np.bincount(cell, weights=weights, minlength=images * size * size)
    return counts.astype(np.int64).reshape(images, size, size)


def sample_system(seed: int, category: int) -> np.ndarray:
    """Return the category's parameters, int64 (6, maps): the first random system that is good.

    Good maps hardly overlap, so their areas add up to at most the whole; overlap makes fog. The
    attractor covers a fair part of its bounding box, so it is no dot, no line and no slab.
    """
    draws = Draws([(seed, category, 0, 0)])
    maps = int(draws.integers(2, 6, 1)[0, 0])
    while True:
        turns = draws.integers(-ONE, ONE, 2, maps)  # half-angle tangents: up to 90° each way
        stretch = draws.integers(ONE * 20 // 100, ONE * 85 // 100, 2, maps)
        stretch[:, 1] *= 2 * draws.integers(0, 2, maps) - 1  # half of the maps mirror
        shift = draws.integers(-ONE, ONE, 2, maps)
        area = np.sum(np.abs(stretch[:, 0] * stretch[:, 1]) >> BITS)
        if not ONE * 55 // 100 <= area <= ONE:
            continue
        system = np.concatenate([turns, stretch, shift], axis=1)
        x, y, _ = chaos_game(system, draws.octets((WARM_UP + STEPS) * 64), system[0])
        if min(np.ptp(x), np.ptp(y)) < ONE // 4:
            continue
        occupied = np.count_nonzero(histogram(*framed(x, y), 24))
        if 165 <= occupied <= 380:
            return system[0]


def jittered(system: np.ndarray, draws: Draws, per_cent: int) -> np.ndarray:
    """Return one system per image, int64 (images, 6, maps), each parameter moved at random."""
    return moved(system, draw_moves(draws, per_cent, system.shape[1]))


def draw_moves(draws: Draws, per_cent: int, *shape: int) -> np.ndarray:
    """Return factors around ONE for parameters, int64 (images, 6, *shape)."""
    low, high = ONE * (100 - per_cent) // 100, ONE * (100 + per_cent) // 100
    return draws.integers(low, high, 6, *shape)


def moved(system: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Return the system with its parameters times each of the moves, int64 (n, 6, maps)."""
    moved = system * moves >> BITS
    longest = ONE * 95 // 100  # below one: still a contraction
    moved[:, 2:4] = np.clip(moved[:, 2:4], -longest, longest)
    return moved


def opacity_and_tint(
    x: np.ndarray, y: np.ndarray, last: np.ndarray, size: int, tints: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return opacity 0…256 and mean tint 0…256 of each cell, int64 (images, size, size).

    `last` is the last map of each point; `tints` (images, maps) is the tint of each map.
    """
    counts = histogram(x, y, size)
    tint = histogram(x, y, size, np.take_along_axis(tints, last, axis=1)) // np.maximum(counts, 1)
    return 256 * counts // (counts + 2), tint


def draw_shapes(size: int, system: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Return opacity and tint of one large shape in the middle of each image.

    Each is int64 (images, size, size) from 0 to 256.
    """
    systems = jittered(system, draws, JITTER)
    chains = -(-2 * size * size // STEPS)  # two points for each pixel of the frame
    octets = draws.octets((WARM_UP + STEPS) * chains)
    x, y, last = chaos_game(systems, octets, system)
    x, y = framed(x, y)
    cosine, sine = circle(draws.integers(-ONE * 18 // 100, ONE * 18 // 100, 1))  # up to 20°
    scale = draws.integers(ONE * 60 // 100, ONE * 95 // 100, 2, 1)
    shift = draws.integers(-ONE * 15 // 100, ONE * 15 // 100, 2, 1)
    x, y = x * scale[:, 0] >> BITS, y * scale[:, 1] >> BITS
    x, y = (cosine * x - sine * y >> BITS), (sine * x + cosine * y >> BITS)
    tints = draws.integers(0, 257, system.shape[1])
    return opacity_and_tint(x + shift[:, 0], y + shift[:, 1], last, size, tints)


Shapes = Callable[[int, np.ndarray, Draws], tuple[np.ndarray, np.ndarray]]


def draw_backgrounds(size: int, draws: Draws) -> np.ndarray:
    """Return dark backgrounds, int64 (images, size, size, 3), up to about 150 of 255.

    Each is a colour, a gradient and slow texture in random shares: values at the 5 × 5 nodes of a
    lattice, interpolated linearly. They may exceed 0…255 a little.
    """
    plain = draws.integers(24, 72, 1, 1, 1) + draws.integers(-24, 25, 1, 1, 3)
    slope = draws.integers(-8, 9, 2, 1, 1, 3)
    strength = draws.integers(0, 3, 1, 1, 1) * draws.integers(0, 13, 1, 1, 1)
    rough = draws.integers(-ONE, ONE, 5, 5, 3) * strength >> BITS
    ramp = np.arange(-2, 3)[:, None]
    lattice = plain + slope[:, 0] * ramp + slope[:, 1] * ramp[:, None] + rough
    place = np.arange(size) * 4 * 256 // size
    node, part = place // 256, (place % 256)[:, None]
    rows = lattice[:, node] * (256 - part[:, None]) + lattice[:, node + 1] * part[:, None]
    columns = rows[:, :, node] * (256 - part) + rows[:, :, node + 1] * part
    return columns >> 16


def draw_block(
    size: int, system: np.ndarray, keys: Sequence[tuple[int, ...]], shapes: Shapes = draw_shapes
) -> np.ndarray:
    """Return uint8 (images, size, size, 3), one image for each key, with shapes in front."""
    draws = Draws(keys)
    opacity, tint = shapes(size, system, draws)
    background = draw_backgrounds(size, draws)
    # Ink is brighter than any background, as in FractalDB. With both polarities the first filters
    # would get no signal on average, and short trainings would be spent on finding one.
    ink = draws.integers(144, 216, 2, 1, 1, 1) + draws.integers(-40, 41, 2, 1, 1, 3)
    opacity, tint = (part[..., None].astype(np.int32) for part in (opacity, tint))
    image = ink[:, 0].astype(np.int32) * (256 - tint) + ink[:, 1].astype(np.int32) * tint >> 8
    image = background.astype(np.int32) * (256 - opacity) + image * opacity >> 8
    grain = draws.octets(2 * size * size * 3).reshape(-1, 2, size, size, 3).astype(np.int32)
    image += (grain[:, 0] - grain[:, 1]) * draws.integers(0, 41, 1, 1, 1).astype(np.int32) >> 8
    return np.clip(image, 0, 255).astype(np.uint8)
