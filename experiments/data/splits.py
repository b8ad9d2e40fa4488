"""Data sets, opened: images and labels of each split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy
from PIL import Image
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from experiments.data.files import File, Samples
from experiments.data.images import in_colour, named, open_image
from experiments.data.scene import Objects
from experiments.data.source import Progress, Source
from roadmap.spec import Recipe
from roadmap.tasks import TaskName

Arrays = Sequence[numpy.ndarray] | numpy.ndarray


def ignore(done: int, total: int) -> None:
    """Take no notice of progress."""


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Mean and standard deviation of red, green and blue, on a scale of 0 to 1."""

    mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN
    std: tuple[float, ...] = IMAGENET_DEFAULT_STD


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images and labels of one split; `image(i)` opens the i-th as PIL RGB.

    Images with `objects(i)` are for detection, those with `label_map(i)`, uint8 (height, width),
    for segmentation; `labels` are then 0.
    """

    image: Callable[[int], Image.Image]
    labels: numpy.ndarray
    arrays: Arrays | None = None  # (height, width, 3) each, if held in memory
    files: Sequence[File] | None = None  # if the images are files
    objects: Callable[[int], Objects] | None = None
    label_map: Callable[[int], numpy.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def hold(self, progress: Progress = ignore) -> Split:
        """Return the same images, decoded once and kept."""
        if self.arrays is not None:
            return self
        arrays = []
        for index in range(len(self)):
            arrays.append(numpy.asarray(self.image(index)))
            progress(index + 1, len(self))
        return replace(self, image=partial(_from_array, arrays), arrays=arrays)

    def only(self, indices: Sequence[int]) -> Split:
        """Return these images alone, in this order."""
        arrays = None if self.arrays is None else [self.arrays[index] for index in indices]
        files = None if self.files is None else [self.files[index] for index in indices]
        some = {
            name: partial(_from_some, function, tuple(indices))
            for name in ("image", "objects", "label_map")
            if (function := getattr(self, name)) is not None
        }
        labels = self.labels[list(indices)]
        return replace(self, labels=labels, arrays=arrays, files=files, **some)

    @cached_property
    def bytes(self) -> int:
        """Estimated bytes of all decoded images, extrapolated from 64 of them."""
        if self.arrays is not None:
            return sum(array.nbytes for array in self.arrays)
        areas = [3 * width * height for width, height in self._sizes]
        return round(float(numpy.mean(areas)) * len(self))

    @cached_property
    def longest(self) -> int:
        """Longest side of any image in pixels: of 64 of them, if they are not decoded."""
        if self.arrays is not None:
            return max(max(array.shape[:2]) for array in self.arrays)
        return max(map(max, self._sizes))

    @cached_property
    def _sizes(self) -> list[tuple[int, int]]:
        some = range(0, len(self), max(1, len(self) // 64))
        return [self.image(index).size for index in some]

    def statistics(self, most: int = 2000) -> Statistics:
        """Return the statistics of all pixels of at most `most` images, spread over the split."""
        places = range(0, len(self), max(1, len(self) // most))
        count, total, squares = 0, numpy.zeros(3), numpy.zeros(3)
        for index in places:
            pixels = numpy.asarray(self.image(index)).reshape(-1, 3) / 255
            count += len(pixels)
            total += pixels.sum(0)
            squares += (pixels**2).sum(0)
        mean = total / count
        std = numpy.sqrt(numpy.maximum(squares / count - mean**2, 1e-6))
        return Statistics(mean=tuple(mean.round(4).tolist()), std=tuple(std.round(4).tolist()))


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A training and a validation split, opened; some data sets also have one for selection."""

    source: Source
    train: Split
    val: Split
    select: Split | None = None
    skipped: int = 0  # training images that could not be opened

    def hold(self, progress: Progress = ignore) -> DataSet:
        """Return the data set with its images decoded and kept."""
        total = len(self.train) + len(self.val)
        train = self.train.hold(lambda done, _: progress(done, total))
        val = self.val.hold(lambda done, _: progress(len(self.train) + done, total))
        return replace(self, train=train, val=val)

    @cached_property
    def own_statistics(self) -> Statistics:
        """Statistics of the training images, computed once for training and evaluation."""
        return self.train.statistics()

    def statistics(self, recipe: Recipe) -> Statistics:
        """Return what the recipe normalizes by: ImageNet's statistics or the training images'."""
        return self.own_statistics if recipe.statistics == "data" else Statistics()

    def describe(self, task: TaskName = "classification") -> dict[str, Any]:
        """Return the part of a record that is about data, for a run of that task."""
        sizes = {"train": len(self.train), "val": len(self.val)}
        if self.select is not None:
            sizes["select"] = len(self.select)
        skipped = {"skipped": self.skipped} if self.skipped else {}
        classes = self.source.classes_for(task)
        facts = {"name": self.source.name, "classes": classes, **sizes, **skipped}
        return facts | self.source.details


def open_data(source: Source, cache: Path | None = None, progress: Progress = ignore) -> DataSet:
    """Open all splits; `cache` is where generated data is kept, `cache_folder()` if None."""
    splits = source.open(cache, progress)
    select = splits.get("select")
    return DataSet(source=source, train=splits["train"], val=splits["val"], select=select)


def held_split(arrays: Arrays, labels: numpy.ndarray) -> Split:
    """Return a split of decoded images, uint8 (height, width, 3) each."""
    return Split(image=partial(_from_array, arrays), labels=labels, arrays=arrays)


def split_of_files(samples: Samples, *, exif: bool = False) -> Split:
    """Return a split whose images are opened one by one; with `exif` they are turned upright."""
    labels = numpy.array([label for _, label in samples])
    files = [file for file, _ in samples]
    return Split(image=partial(_from_file, samples, exif), labels=labels, files=files)


def _from_array(images: Arrays, index: int) -> Image.Image:
    return Image.fromarray(images[index])


def _from_some(function: Callable[[int], Any], indices: Sequence[int], index: int) -> Any:
    return function(indices[index])


def _from_file(samples: Samples, exif: bool, index: int) -> Image.Image:
    file = samples[index][0]
    with named(str(file)):
        return in_colour(open_image(file.open()), exif=exif)
