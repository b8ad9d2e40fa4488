"""A data set that is only counted, for a plan before there are any data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from experiments.data.source import Progress, Source
from roadmap.spec import fingerprint

if TYPE_CHECKING:
    from experiments.data.splits import Split

MOST = 512  # images that are drawn, if any are needed


@dataclass(frozen=True, kw_only=True)
class PlannedImages(Source):
    """`images` training images of `classes` classes; opened, a few of them, as noise.

    No run has its fingerprint, so a plan counts all runs as missing.
    """

    planned: int
    of_classes: int
    size: int

    choice = "none: for plans"
    name = "planned"

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return False: no --data means it."""
        return False

    @classmethod
    def read(cls, name: str, root: Path | None) -> PlannedImages:
        """Return a small set."""
        return cls(planned=64, of_classes=2, size=32)

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over the numbers."""
        return fingerprint([self.name, self.planned, self.of_classes, self.size])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.of_classes

    @property
    def images(self) -> int:
        """Number of training images."""
        return self.planned

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Draw both splits, as noise of the recipe's size."""
        from experiments.data.splits import held_split

        generator, splits = numpy.random.default_rng(0), {}
        for split, count in (("train", MOST), ("val", 8)):
            shape = (count, self.size, self.size, 3)
            pixels = generator.integers(0, 256, shape, dtype=numpy.uint8)
            splits[split] = held_split(pixels, numpy.arange(count) % self.of_classes)
        return splits
