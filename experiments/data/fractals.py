"""The built-in data set: images of random iterated function systems, drawn instead of downloaded.

After Kataoka et al., "Pre-training without Natural Images", ACCV 2020 (FractalDB): a category is
one random system of contracting affine maps, an instance is that system with jittered parameters.
Rotation, colours, background and noise differ from image to image and tell nothing of the category.

The same seed gives the same bytes on every machine and with every NumPy. Hence all arithmetic is
on int64, numbers between pixels are fixed point (ONE = 1.0), a product is shifted back by BITS,
and randomness is the raw output of a bit generator, which NumPy promises never to change.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

VERSION = 1  # raise it whenever the bytes of any image change: it is part of the fingerprint
BITS = 16
ONE = 1 << BITS
VALIDATION_START = 1 << 20  # validation instances count from here, whatever the number for training
STEPS, WARM_UP = 64, 16  # of each chain of the chaos game; the warm-up falls onto the attractor
JITTER = 8  # per cent, up or down, of each parameter: what most decides how hard the set is
BLOCK = 25  # images drawn at once: bounds the memory of the working arrays


@dataclass(frozen=True, kw_only=True)
class Fractals:
    """Which images: categories, images of each for training and validation, pixels a side, seed."""

    categories: int = 20
    train: int = 250
    val: int = 100
    size: int = 48
    seed: int = 0

    def __post_init__(self):
        if min(self.categories, self.train, self.val) < 1 or self.size < 8 or self.seed < 0:
            raise ValueError(f"nothing to draw, or too small to see: {self}")
        if self.train > VALIDATION_START:
            raise ValueError(f"at most {VALIDATION_START} training images a category: {self}")

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits which differ wherever the images may differ."""
        return hashlib.sha256(repr((VERSION, *astuple(self))).encode()).hexdigest()[:12]


class Draws:
    """One private stream of random integers for each of several images, read side by side."""

    def __init__(self, keys: list[tuple[int, ...]]):
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
    """Cosine and sine of twice the angle with this tangent: the rational points of the circle."""
    square = tangent * tangent
    length = ONE * ONE + square
    return (ONE * ONE - square) * ONE // length, 2 * tangent * ONE * ONE // length


def affine_maps(parameters: np.ndarray) -> np.ndarray:
    """Coefficients a, b, c, d, e, f of x, y ↦ ax + by + e, cx + dy + f for (images, 6, maps).

    The parameters are two half-angle tangents, two singular values and the shift: turn, stretch,
    turn again, move. So singular values below one are all it takes for a contraction.
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
    """Points x, y and the last map taken, each int64 (images, STEPS * chains).

    parameters (images, 6, maps); octets (images, (WARM_UP + STEPS) * chains) choose the maps, each
    as often as the area it keeps in the unjittered system (6, maps), with a little for flat ones.
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
        a, b, c, d, e, f = (np.take(each, choices[:, step]) for each in coefficients)
        x, y = (a * x + b * y >> BITS) + e, (c * x + d * y >> BITS) + f
        path[0, :, step], path[1, :, step] = x, y
    x, y = path[:, :, WARM_UP:].reshape(2, images, -1)
    return x, y, (choices[:, WARM_UP:] % maps).reshape(images, -1)


def framed(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same points with each image's bounding box moved onto the square from -ONE to ONE."""

    def along(points: np.ndarray) -> np.ndarray:
        low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
        return (2 * points - low - high) * (ONE * ONE // np.maximum(high - low, 1)) >> BITS

    return along(x), along(y)


def histogram(
    x: np.ndarray, y: np.ndarray, size: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Int64 (images, size, size): points in each cell of the square -ONE…ONE, or their weights.

    Points outside are dropped. The sums are of integers below 2⁵³, so float64 holds them exactly.
    """
    images = len(x)
    column, row = ((p + ONE) * size >> BITS + 1 for p in (x, y))
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    cell = ((np.arange(images)[:, None] * size + row) * size + column)[inside]
    weights = None if weights is None else weights[inside]
    counts = np.bincount(cell, weights=weights, minlength=images * size * size)
    return counts.astype(np.int64).reshape(images, size, size)


def sample_system(seed: int, category: int) -> np.ndarray:
    """The category's parameters, int64 (6, maps): the first random system that makes a good shape.

    Good maps hardly overlap (their areas add up to at most the whole: overlap makes fog), and the
    attractor covers a fair part of its bounding box: no dot, no line, no slab.
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


def draw_shapes(
    config: Fractals, system: np.ndarray, draws: Draws
) -> tuple[np.ndarray, np.ndarray]:
    """Opacity 0…256 of the shape and its tint 0…256, each int64 (images, size, size)."""
    _, maps = system.shape
    low, high = ONE * (100 - JITTER) // 100, ONE * (100 + JITTER) // 100
    jittered = system * draws.integers(low, high, 6, maps) >> BITS
    longest = ONE * 95 // 100  # below one: still a contraction
    jittered[:, 2:4] = np.clip(jittered[:, 2:4], -longest, longest)
    chains = -(-2 * config.size * config.size // STEPS)  # two points for each pixel of the frame
    octets = draws.octets((WARM_UP + STEPS) * chains)
    x, y, last = chaos_game(jittered, octets, system)
    x, y = framed(x, y)
    cosine, sine = circle(draws.integers(-ONE * 18 // 100, ONE * 18 // 100, 1))  # up to 20°
    scale = draws.integers(ONE * 60 // 100, ONE * 95 // 100, 2, 1)
    shift = draws.integers(-ONE * 15 // 100, ONE * 15 // 100, 2, 1)
    x, y = x * scale[:, 0] >> BITS, y * scale[:, 1] >> BITS
    x, y = (cosine * x - sine * y >> BITS), (sine * x + cosine * y >> BITS)
    x, y = x + shift[:, 0], y + shift[:, 1]
    tints = np.take_along_axis(draws.integers(0, 257, maps), last, axis=1)
    counts = histogram(x, y, config.size)
    tint = histogram(x, y, config.size, tints) // np.maximum(counts, 1)
    return 256 * counts // (counts + 2), tint


def draw_backgrounds(config: Fractals, draws: Draws) -> np.ndarray:
    """Dark backgrounds, int64 (images, size, size, 3), up to about 150 of 255.

    A colour, a gradient and slow texture in random shares: values at the 5 x 5 nodes of a
    lattice, with straight lines between them. They may leave 0…255 a little.
    """
    plain = draws.integers(24, 72, 1, 1, 1) + draws.integers(-24, 25, 1, 1, 3)
    slope = draws.integers(-8, 9, 2, 1, 1, 3)
    strength = draws.integers(0, 3, 1, 1, 1) * draws.integers(0, 13, 1, 1, 1)
    rough = draws.integers(-ONE, ONE, 5, 5, 3) * strength >> BITS
    ramp = np.arange(-2, 3)[:, None]
    lattice = plain + slope[:, 0] * ramp + slope[:, 1] * ramp[:, None] + rough
    place = np.arange(config.size) * 4 * 256 // config.size
    node, part = place // 256, (place % 256)[:, None]
    rows = lattice[:, node] * (256 - part[:, None]) + lattice[:, node + 1] * part[:, None]
    columns = rows[:, :, node] * (256 - part) + rows[:, :, node + 1] * part
    return columns >> 16


def draw_block(config: Fractals, system: np.ndarray, keys: list[tuple[int, ...]]) -> np.ndarray:
    """Uint8 (images, size, size, 3), one image for each key."""
    draws, size = Draws(keys), config.size
    opacity, tint = draw_shapes(config, system, draws)
    background = draw_backgrounds(config, draws)
    # Ink is brighter than any background, as in FractalDB: with either polarity, the first filters
    # would see no signal on average, and short trainings would be spent on finding one.
    ink = draws.integers(144, 216, 2, 1, 1, 1) + draws.integers(-40, 41, 2, 1, 1, 3)
    opacity, tint = (part[..., None].astype(np.int32) for part in (opacity, tint))
    image = ink[:, 0].astype(np.int32) * (256 - tint) + ink[:, 1].astype(np.int32) * tint >> 8
    image = background.astype(np.int32) * (256 - opacity) + image * opacity >> 8
    grain = draws.octets(2 * size * size * 3).reshape(-1, 2, size, size, 3).astype(np.int32)
    image += (grain[:, 0] - grain[:, 1]) * draws.integers(0, 41, 1, 1, 1).astype(np.int32) >> 8
    return np.clip(image, 0, 255).astype(np.uint8)


def draw_category(config: Fractals, category: int, start: int, count: int) -> np.ndarray:
    """Instances start…start+count-1 of one category, uint8 (count, size, size, 3), RGB."""
    system = sample_system(config.seed, category)
    images = np.empty((count, config.size, config.size, 3), dtype=np.uint8)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        keys = [(config.seed, category, 1, start + i) for i in range(first, last)]
        images[first:last] = draw_block(config, system, keys)
    return images


def make(config: Fractals, folder: Path, progress: Callable[[int, int], None] | None) -> None:
    """Write the four arrays into this folder, category after category, without holding them all.

    Threads share the work: NumPy lets go of the interpreter, and no image depends on another.
    """
    splits = {"train": (0, config.train), "val": (VALIDATION_START, config.val)}
    files = {}
    for split, (_, each) in splits.items():
        shape = (config.categories * each, config.size, config.size, 3)
        files[split] = np.lib.format.open_memmap(
            folder / f"{split}-images.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        labels = np.repeat(np.arange(config.categories, dtype=np.int64), each)
        np.save(folder / f"{split}-labels.npy", labels)

    def fill(category: int) -> None:
        for split, (start, each) in splits.items():
            rows = slice(category * each, (category + 1) * each)
            files[split][rows] = draw_category(config, category, start, each)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        jobs = [pool.submit(fill, category) for category in range(config.categories)]
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()
                if progress is not None:
                    progress(done, config.categories)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for file in files.values():
        file.flush()


def load(
    config: Fractals, *, cache: Path, progress: Callable[[int, int], None] | None = None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{"train", "val"} → images uint8 (n, size, size, 3), mapped from disk, and labels int64 (n,).

    Made once, in a folder beside the final one and renamed when whole: what bears the final name is
    always complete. Of two processes which race, the later finds the name taken and uses that set.
    Both splits are sorted by category. progress(done, total) counts the categories made.
    """
    folder = Path(cache) / f"fractals-{config.fingerprint}"
    if not folder.is_dir():
        unfinished = folder.with_name(f"{folder.name}-unfinished-{uuid.uuid4().hex}")
        unfinished.mkdir(parents=True)
        try:
            make(config, unfinished, progress)
            try:
                unfinished.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return {
        split: (
            np.load(folder / f"{split}-images.npy", mmap_mode="r"),
            np.load(folder / f"{split}-labels.npy"),
        )
        for split in ("train", "val")
    }
