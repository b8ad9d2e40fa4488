"""Data sets, and loaders in which every sample's randomness belongs to the sample.

A training image's augmentation is drawn from (seed, epoch, index) and nothing else: it does not
depend on the number of workers, on what was loaded before, or on the global generators.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from timm.data import create_transform
from torch.utils.data import BatchSampler, DataLoader, Dataset

from experiments import fractals
from experiments.folder import Samples
from experiments.sources import Source
from roadmap.errors import Problem
from roadmap.spec import Recipe

Key = tuple[int, int]  # epoch, index


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images and labels of one split; `image(i)` opens the i-th as PIL RGB."""

    image: Callable[[int], Image.Image]
    labels: numpy.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A training and a validation split, opened."""

    source: Source
    train: Split
    val: Split

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
            split: Split(image=partial(_from_array, images), labels=labels)
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


def _from_array(images: numpy.ndarray, index: int) -> Image.Image:
    return Image.fromarray(images[index])


def _from_file(samples: Samples, index: int) -> Image.Image:
    path = samples[index][0]
    try:
        return Image.open(path).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(f"image {path} cannot be read: {error}") from error


class TrainViews(Dataset):
    """Augmented training images: (epoch, index) → ((3, height, width) float, label)."""

    def __init__(self, split: Split, recipe: Recipe, seed: int) -> None:
        self.split, self.seed = split, seed
        self.transform = create_transform(
            recipe.image_size,
            is_training=True,
            scale=recipe.crop_scale,
            hflip=recipe.flip,
            color_jitter=None,
            auto_augment=recipe.randaugment,
            interpolation=recipe.interpolation,
            re_prob=recipe.erasing,
            re_mode="pixel",
        )

    def __getitem__(self, key: Key) -> tuple[torch.Tensor, int]:
        with drawing_from(self.seed, *key):
            return self.transform(self.split.image(key[1])), int(self.split.labels[key[1]])


class EvaluationViews(Dataset):
    """Resized, centre-cropped validation images: index → ((3, height, width) float, label)."""

    def __init__(self, split: Split, recipe: Recipe) -> None:
        self.split = split
        self.transform = create_transform(
            recipe.image_size,
            interpolation=recipe.interpolation,
            crop_pct=recipe.evaluation_crop,
        )

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.split.image(index)), int(self.split.labels[index])


class drawing_from:  # noqa: N801 - reads as a sentence: with drawing_from(seed, step)
    """Let Python's, NumPy's and torch's global generators draw from `key`, then put them back.

    A loading process has no one to put them back for, and saves the time.
    """

    def __init__(self, *key: int) -> None:
        self.seed = fold(*key)
        self.states = None

    def __enter__(self) -> None:
        if torch.utils.data.get_worker_info() is None:
            self.states = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
        random.seed(self.seed)
        numpy.random.seed(self.seed)
        torch.default_generator.manual_seed(self.seed)  # torch.manual_seed costs 0.5 ms a call
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed(self.seed)

    def __exit__(self, *_: object) -> None:
        if self.states:
            random.setstate(self.states[0])
            numpy.random.set_state(self.states[1])
            torch.set_rng_state(self.states[2])


def fold(*key: int) -> int:
    """32 bits that differ, as far as 32 bits can, for different keys of whole numbers."""
    return zlib.crc32(struct.pack(f"<{len(key)}q", *key))


class Epochs(BatchSampler):
    """Batches of (epoch, index) in an order drawn from (seed, epoch); no smaller last one."""

    def __init__(self, size: int, batch: int, seed: int) -> None:
        if size < batch:
            raise Problem(f"recipe.batch {batch} is larger than the {size} training images")
        self.size, self.batch_size, self.seed, self.epoch = size, batch, seed, 0
        self.sampler, self.drop_last = self, True

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next iteration is; called by Lightning."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size // self.batch_size

    def __iter__(self) -> Iterator[list[Key]]:
        epoch = self.epoch
        generator = numpy.random.default_rng((self.seed, epoch))
        order = generator.permutation(self.size).tolist()
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield [(epoch, index) for index in order[start : start + self.batch_size]]


def train_loader(data: DataSet, recipe: Recipe, seed: int, workers: int) -> DataLoader:
    """Batches of augmented training images, the same for any number of workers."""
    return DataLoader(
        TrainViews(data.train, recipe, seed),
        batch_sampler=Epochs(len(data.train), recipe.batch, seed),
        num_workers=workers,
        persistent_workers=workers > 0,
        generator=torch.Generator(),
    )


def evaluation_loader(data: DataSet, recipe: Recipe, workers: int) -> DataLoader:
    """Batches of all validation images, each exactly once."""
    return DataLoader(
        EvaluationViews(data.val, recipe),
        batch_size=max(recipe.batch, 128),
        num_workers=workers,
        persistent_workers=workers > 0,
        generator=torch.Generator(),
    )
