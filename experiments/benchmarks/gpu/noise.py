"""Images of noise: any number and size at once, for measurements that look at no accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy

from experiments.data.source import Progress, Source
from experiments.data.splits import Split, held_split
from experiments.settings import Settings
from roadmap.spec import fingerprint

CLASSES = 20


@dataclass(frozen=True, kw_only=True)
class Noise(Source):
    """Images of noise, held in memory; 1/64 as many for validation."""

    count: int
    size: int

    choice = "none: for benchmarks"
    name = "noise"

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return False: no --data means it."""
        return False

    @classmethod
    def read(cls, name: str, root: Path | None) -> Noise:
        """Return a small set."""
        return cls(count=128, size=32)

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over number and size."""
        return fingerprint([self.name, self.count, self.size])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return CLASSES

    @property
    def images(self) -> int:
        """Number of training images."""
        return self.count

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Draw both splits."""
        generator = numpy.random.default_rng(0)
        splits = {}
        for split, count in (("train", self.count), ("val", max(8, self.count // 64))):
            shape = (count, self.size, self.size, 3)
            pixels = generator.integers(0, 256, shape, dtype=numpy.uint8)
            splits[split] = held_split(pixels, numpy.arange(count) % CLASSES)
        return splits


class NoiseSettings(Settings):
    """Settings whose data is noise; set with `with_noise`."""

    @cached_property
    def source(self) -> Noise:
        """A small set unless another was set."""
        return Noise(count=128, size=32)

    def with_noise(self, count: int, size: int) -> NoiseSettings:
        """Return these settings with that many images of that size."""
        vars(self)["source"] = Noise(count=count, size=size)
        return self
