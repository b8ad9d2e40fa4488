"""Data sets, opened: images and labels of a training and a validation split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from experiments import fractals
from experiments.folder import Samples
from experiments.sources import Source


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images and labels of one split; `image(i)` opens the i-th as PIL RGB."""

    image: Callable[[int], Image.Image]
    labels: numpy.ndarray
    arrays: Sequence[numpy.ndarray] | None = None  # (height, width, 3) each, where there are any

    def __len__(self) -> int:
        return len(self.labels)

    def hold(self, progress: Callable[[int, int], None] = lambda done, total: None) -> Split:
        """The same images, decoded once and kept."""
        if self.arrays is not None:
            return self
        arrays = []
        for index in range(len(self)):
            arrays.append(numpy.asarray(self.image(index)))
            progress(index + 1, len(self))
        return replace(self, image=partial(_from_array, arrays), arrays=arrays)

    @cached_property
    def bytes(self) -> int:
        """How much memory all images take, decoded; told by the size of 64 of them."""
        if self.arrays is not None:
            return sum(each.nbytes for each in self.arrays)
        some = range(0, len(self), max(1, len(self) // 64))
        sizes = [3 * width * height for width, height in (self.image(i).size for i in some)]
        return round(numpy.mean(sizes) * len(self))


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A training and a validation split, opened."""

    source: Source
    train: Split
    val: Split

    def hold(self, progress: Callable[[int, int], None] = lambda done, total: None) -> DataSet:
        """The data set with its images decoded and kept."""
        total = len(self.train) + len(self.val)
        train = self.train.hold(lambda done, _: progress(done, total))
        val = self.val.hold(lambda done, _: progress(len(self.train) + done, total))
        return replace(self, train=train, val=val)

    def describe(self) -> dict[str, Any]:
        """The part of a record that is about data."""
        sizes = {"train": len(self.train), "val": len(self.val)}
        return {"name": self.source.name, "classes": self.source.classes, **sizes}


def open_data(
    source: Source, cache: Path, progress: Callable[[int, int], None] | None = None
) -> DataSet:
    """Open a source: the embedded images are made on first use and kept in `cache`."""
    if isinstance(source.origin, fractals.Fractals):
        arrays = fractals.load(source.origin, cache=cache, progress=progress)
        splits = {
            split: Split(image=partial(_from_array, images), labels=labels, arrays=images)
            for split, (images, labels) in arrays.items()
        }
    else:
        splits = {
            split: Split(
                image=partial(_from_file, samples),
                labels=numpy.array([label for _, label in samples]),
            )
            for split, samples in source.origin.samples.items()
        }
    return DataSet(source=source, **splits)


def _from_array(images: Sequence[numpy.ndarray], index: int) -> Image.Image:
    return Image.fromarray(images[index])


def _from_file(samples: Samples, index: int) -> Image.Image:
    path = samples[index][0]
    try:
        return Image.open(path).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(f"image {path} cannot be read: {error}") from error
