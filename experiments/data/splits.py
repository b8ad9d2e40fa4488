"""Data sets, opened: images and labels of a training and a validation split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
from PIL import Image
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from experiments.data import fractals
from experiments.data.folder import Folder, Samples
from experiments.data.sources import Source
from roadmap.spec import Recipe

if TYPE_CHECKING:
    from experiments.data.timm_data import TimmData

Progress = Callable[[int, int], None]


class BrokenImage(OSError):
    """An image cannot be opened. Which and why, also where a loading process adds its traceback."""

    def __str__(self) -> str:
        return super().__str__().strip().splitlines()[-1].rpartition("BrokenImage: ")[2]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Mean and standard deviation of red, green and blue, on a scale of 0 to 1."""

    mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN
    std: tuple[float, ...] = IMAGENET_DEFAULT_STD


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images and labels of one split; `image(i)` opens the i-th as PIL RGB."""

    image: Callable[[int], Image.Image]
    labels: numpy.ndarray
    arrays: Sequence[numpy.ndarray] | None = None  # (height, width, 3) each, where there are any

    def __len__(self) -> int:
        return len(self.labels)

    def hold(self, progress: Progress = lambda done, total: None) -> Split:
        """The same images, decoded once and kept."""
        if self.arrays is not None:
            return self
        arrays = []
        for index in range(len(self)):
            arrays.append(numpy.asarray(self.image(index)))
            progress(index + 1, len(self))
        return _held(arrays, self.labels)

    def only(self, indices: Sequence[int]) -> Split:
        """These images alone, in this order."""
        arrays = None if self.arrays is None else [self.arrays[index] for index in indices]
        image = partial(_from_some, self.image, tuple(indices))
        return replace(self, image=image, labels=self.labels[list(indices)], arrays=arrays)

    @cached_property
    def bytes(self) -> int:
        """How much memory all images take, decoded; told by the size of 64 of them."""
        if self.arrays is not None:
            return sum(each.nbytes for each in self.arrays)
        some = range(0, len(self), max(1, len(self) // 64))
        sizes = [3 * width * height for width, height in (self.image(i).size for i in some)]
        return round(numpy.mean(sizes) * len(self))

    def statistics(self, most: int = 2000) -> Statistics:
        """Of all pixels of at most `most` images from all over the split."""
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
    """A training and a validation split, opened."""

    source: Source
    train: Split
    val: Split
    skipped: int = 0  # training images that could not be opened

    def hold(self, progress: Progress = lambda done, total: None) -> DataSet:
        """The data set with its images decoded and kept."""
        total = len(self.train) + len(self.val)
        train = self.train.hold(lambda done, _: progress(done, total))
        val = self.val.hold(lambda done, _: progress(len(self.train) + done, total))
        return replace(self, train=train, val=val)

    @cached_property
    def own_statistics(self) -> Statistics:
        """The training images' own; found once, for training and for evaluation."""
        return self.train.statistics()

    def statistics(self, recipe: Recipe) -> Statistics:
        """What the recipe normalizes by: ImageNet's statistics, or the training images' own."""
        return self.own_statistics if recipe.statistics == "data" else Statistics()

    def describe(self) -> dict[str, Any]:
        """The part of a record that is about data."""
        sizes = {"train": len(self.train), "val": len(self.val)}
        skipped = {"skipped": self.skipped} if self.skipped else {}
        return {"name": self.source.name, "classes": self.source.classes, **sizes, **skipped}


def open_data(
    source: Source, cache: Path, progress: Progress = lambda done, total: None
) -> DataSet:
    """Open a source: the embedded images are made on first use and kept in `cache`."""
    origin = source.origin
    if isinstance(origin, fractals.Fractals):
        arrays = fractals.load(origin, cache=cache, progress=progress)
        splits = {split: _held(*found) for split, found in arrays.items()}
    elif isinstance(origin, Folder):
        splits = {
            split: Split(
                image=partial(_from_file, samples),
                labels=numpy.array([label for _, label in samples]),
            )
            for split, samples in origin.samples.items()
        }
    else:
        splits = {split: _from_timm(origin, split, progress) for split in origin.splits}
    return DataSet(source=source, **splits)


def _held(arrays: Sequence[numpy.ndarray], labels: numpy.ndarray) -> Split:
    return Split(image=partial(_from_array, arrays), labels=labels, arrays=arrays)


def _from_timm(origin: TimmData, split: str, progress: Progress) -> Split:
    labels = origin.labels[split]
    if labels is None:
        return _held(*origin.read(split, progress))
    from experiments.data.timm_data import open_image

    open_file = partial(open_image, origin.splits[split])
    return Split(image=partial(_from_set, f"{origin.name}, {split}", open_file), labels=labels)


def _from_array(images: Sequence[numpy.ndarray], index: int) -> Image.Image:
    return Image.fromarray(images[index])


def _from_some(
    image: Callable[[int], Image.Image], indices: Sequence[int], index: int
) -> Image.Image:
    return image(indices[index])


def _from_file(samples: Samples, index: int) -> Image.Image:
    file = samples[index][0]
    with _named(str(file)):
        return _in_colour(Image.open(file.open()))


def _from_set(name: str, image: Callable[[int], Image.Image], index: int) -> Image.Image:
    with _named(f"{index} of {name}"):
        return _in_colour(image(index))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say of what cannot be opened which image it is; Pillow's readers raise what they like."""
    try:
        yield
    except Exception as error:
        reason = re.sub(r" <_io.BytesIO.*>", "", str(error)) or type(error).__name__
        raise BrokenImage(f"image {name} cannot be read: {reason}") from error


def _in_colour(image: Image.Image) -> Image.Image:
    """RGB of any image; 16 bits a pixel become 8 where Pillow would cut them off."""
    if image.mode == "F":
        raise ValueError("its values are fractions of no fixed range")
    if image.mode == "I" and image.format == "TIFF":  # other kinds have 16 at most
        raise ValueError(
            "its values have a sign or 32 bits, so no fixed range; save it with 8 or 16, unsigned"
        )
    if image.mode.startswith("I"):
        values = numpy.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("its values need more than 16 bits")
        image = Image.fromarray((values >> 8).astype(numpy.uint8))
    return image.convert("RGB")
