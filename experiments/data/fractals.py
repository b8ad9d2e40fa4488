"""The built-in data set: images of random iterated function systems, drawn instead of downloaded.

After Kataoka et al., "Pre-training without Natural Images", ACCV 2020 (FractalDB). A category is
one random system of contracting affine maps; an instance is that system with jittered parameters.
Rotation, colours, background and noise differ between images and carry no information about the
category. The same seed gives the same bytes on every machine; see `fractal_drawing`.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from experiments.data.cache import cache_folder, make_once
from experiments.data.drawn import Drawn, in_threads
from experiments.data.fractal_drawing import (
    BLOCK,
    Shapes,
    draw_block,
    draw_shapes,
    sample_system,
)
from experiments.data.fractal_scatter import scatter_shapes
from experiments.data.source import Progress

if TYPE_CHECKING:
    from experiments.data.splits import Split

VALIDATION_START = 1 << 20  # number of the first validation instance, for any size of training set
SELECTION_START = 1 << 21


@dataclass(frozen=True, kw_only=True)
class Fractals(Drawn):
    """Categories, training and validation images per category, pixels per side, seed."""

    categories: int = 20
    train: int = 250
    val: int = 100
    size: int = 48
    seed: int = 0

    choice = "'fractals'"
    preparation = "drawing the fractals"
    name = "fractals"
    version: ClassVar[int] = 1  # part of the fingerprint: another one if any byte changes

    def __post_init__(self) -> None:
        if min(self.categories, self.train, self.val) < 1 or self.size < 8 or self.seed < 0:
            raise ValueError(f"no images, or images below 8 pixels, or a negative seed: {self}")
        if self.train > VALIDATION_START:
            raise ValueError(f"at most {VALIDATION_START} training images per category: {self}")

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that differ if the images may differ."""
        return hashlib.sha256(repr((self.version, *astuple(self))).encode()).hexdigest()[:12]

    @property
    def classes(self) -> int:
        """Number of categories."""
        return self.categories

    @property
    def images(self) -> int:
        """Number of training images of all categories."""
        return self.categories * self.train

    @property
    def shapes(self) -> Shapes:
        """Return the function that draws the shapes."""
        return draw_shapes

    @property
    def splits(self) -> dict[str, tuple[int, int]]:
        """First instance and number of instances per category of each split."""
        return {"train": (0, self.train), "val": (VALIDATION_START, self.val)}

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Return all splits; they are drawn on first use and kept in `cache`."""
        from experiments.data.splits import held_split

        arrays = load(self, cache=cache or cache_folder(), progress=progress)
        return {split: held_split(*pair) for split, pair in arrays.items()}


@dataclass(frozen=True, kw_only=True)
class ScatteredFractals(Fractals):
    """Version 2: small copies of the shape, scattered, which pixels alone do not tell apart.

    A third split, `select`, is for choosing a learning rate. Version 1 stays as it is, because
    records of it exist. Its images can be told apart without learning: the nearest training image
    has the right category in 99.7 % of all cases, and in version 2 in less than 40 %.
    """

    categories: int = 10
    train: int = 1000
    val: int = 500
    size: int = 32
    select: int = 100

    choice = "'fractals-2'"
    name = "fractals-2"
    has_select = True
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.select <= VALIDATION_START or self.val > VALIDATION_START:
            raise ValueError(f"no or too many images for selection or validation: {self}")

    @property
    def shapes(self) -> Shapes:
        """Return the function that draws the shapes."""
        return scatter_shapes

    @property
    def splits(self) -> dict[str, tuple[int, int]]:
        """First instance and number of instances per category of each split."""
        return {**super().splits, "select": (SELECTION_START, self.select)}


def draw_category(config: Fractals, category: int, start: int, count: int) -> np.ndarray:
    """Draw instances start…start+count-1 of one category: uint8 (count, size, size, 3), RGB."""
    system = sample_system(config.seed, category)
    images = np.empty((count, config.size, config.size, 3), dtype=np.uint8)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        keys = [(config.seed, category, 1, start + i) for i in range(first, last)]
        images[first:last] = draw_block(config.size, system, keys, config.shapes)
    return images


def make(config: Fractals, folder: Path, progress: Progress | None) -> None:
    """Write images and labels of every split into this folder, without holding them all.

    Images are independent, so threads share the work.
    """
    files = {}
    for split, (_, count) in config.splits.items():
        shape = (config.categories * count, config.size, config.size, 3)
        files[split] = np.lib.format.open_memmap(
            folder / f"{split}-images.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        labels = np.repeat(np.arange(config.categories, dtype=np.int64), count)
        np.save(folder / f"{split}-labels.npy", labels)

    def fill(category: int) -> None:
        for split, (start, count) in config.splits.items():
            rows = slice(category * count, (category + 1) * count)
            files[split][rows] = draw_category(config, category, start, count)

    in_threads(fill, [(category,) for category in range(config.categories)], progress)
    for file in files.values():
        file.flush()


def load(
    config: Fractals, *, cache: Path, progress: Progress | None = None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, by split, images uint8 (n, size, size, 3), mapped from disk, and labels int64 (n,).

    Splits are sorted by category. progress(done, total) counts the categories drawn. They are
    drawn once; a folder with the final name is always complete.
    """
    folder = make_once(
        Path(cache) / f"fractals-{config.fingerprint}",
        lambda unfinished: make(config, unfinished, progress),
    )
    return {
        split: (
            np.load(folder / f"{split}-images.npy", mmap_mode="r"),
            np.load(folder / f"{split}-labels.npy"),
        )
        for split in config.splits
    }
