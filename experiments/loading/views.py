"""Batches of images, each made in two halves.

`pick` does what a loading process can do: open images, or decide what happens to them. `finish`
does the rest on the device that holds the arrays. Both halves together give the same bits on every
device, however the images are held.

A training image is a function of (seed, epoch, index) and of nothing else: neither of the number of
loading processes nor of what was loaded before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from timm.data import create_transform
from torch import Tensor
from torch.utils.data import Dataset

from experiments.data.splits import Split, Statistics
from experiments.loading.augmentation import Augmentation, Drawn
from experiments.loading.decisions import decisions
from experiments.loading.erasing import erase, erase_drawn, erasing_arrays, normalize
from experiments.loading.gpu_augmentation import DeviceAugmentation, HeldPixels, places
from experiments.loading.packet import Arrays
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import NO_IMAGE, Key
from roadmap.spec import Recipe

Batch = tuple[Tensor, Tensor]  # images (batch, 3, size, size), channels last; labels (batch,)


class Views(Dataset[Any]):
    """Batches of images by their keys; an index of this data set is a list of keys."""

    finished_late = False  # whether even on a CPU the training process does `finish`

    @abstractmethod
    def pick(self, keys: Sequence[Any]) -> Arrays:
        """Return what a loading process prepares for a batch, in the host's memory."""

    @abstractmethod
    def finish(self, arrays: Arrays) -> Any:
        """Return the batch on the device of the arrays, without waiting for that device."""

    def __getitem__(self, keys: Sequence[Any]) -> Any:
        return self.finish(self.pick(keys))


class Augmented(Views):
    """Training batches whose images are made in the host's memory, one by one."""

    def __init__(self, split: Split, recipe: Recipe, seed: int, statistics: Statistics) -> None:
        self.split, self.seed = split, seed
        self.augmentation = Augmentation(recipe, statistics)

    @abstractmethod
    def make(self, keys: Sequence[Key]) -> tuple[Tensor, list[Drawn]]:
        """Return uint8 images (batch, size, size, 3), and what was drawn to erase."""

    def pick(self, keys: Sequence[Key]) -> Arrays:
        """Return the images as uint8, and what to erase."""
        images, drawn = self.make(keys)
        erasing, labels = erasing_arrays(drawn, images.shape[1]), _labels(self.split, keys)
        return Arrays(tensors={"images": images, **erasing, "labels": labels})

    def finish(self, arrays: Arrays) -> Batch:
        """Normalize and erase."""
        tensors = arrays.tensors
        images = normalize(tensors["images"].permute(0, 3, 1, 2), self.augmentation.statistics)
        return erase(images, tensors["noise"], tensors["noise_at"]), tensors["labels"]

    def __getitem__(self, keys: Sequence[Key]) -> Batch:
        """Return the whole batch at once, which spares the arrays of what to erase."""
        images, drawn = self.make(keys)
        batch = normalize(images.permute(0, 3, 1, 2), self.augmentation.statistics)
        return erase_drawn(batch, drawn), _labels(self.split, keys)


class Streamed(Augmented):
    """Training batches whose images timm opens and augments one by one."""

    def __init__(self, split: Split, recipe: Recipe, seed: int, statistics: Statistics) -> None:
        super().__init__(split, recipe, seed, statistics)
        self.transform = create_transform(
            recipe.image_size,
            is_training=True,
            scale=recipe.crop_scale,
            hflip=recipe.flip,
            color_jitter=recipe.color_jitter or None,  # type: ignore[arg-type] # None is off
            auto_augment=recipe.randaugment,
            interpolation=recipe.interpolation,
            mean=statistics.mean,
            std=statistics.std,
            use_prefetcher=True,  # leaves out normalization and erasing, done for a whole batch
        )

    def make(self, keys: Sequence[Key]) -> tuple[Tensor, list[Drawn]]:
        """Open and change the images with timm's transforms."""
        images, drawn = [], []
        with isolated_rng():
            for epoch, index in keys:
                image = self.split.image(index)
                seed_rng(self.seed, epoch, index)
                images.append(_rows(self.transform(image)))
                drawn.append(Drawn())
                self.augmentation.draw_erasing(drawn[-1])
        return torch.stack(images), drawn


class Held(Augmented):
    """The same batches from images held in memory, changed by Pillow."""

    def __init__(self, split: Split, recipe: Recipe, seed: int, statistics: Statistics) -> None:
        super().__init__(split, recipe, seed, statistics)
        assert split.arrays is not None
        self.arrays = split.arrays

    def make(self, keys: Sequence[Key]) -> tuple[Tensor, list[Drawn]]:
        """Draw what happens to the images, and change them."""
        drawn = self.draw(keys)
        return self.augmentation.apply([self.arrays[index] for _, index in keys], drawn), drawn

    def draw(self, keys: Sequence[Key]) -> list[Drawn]:
        """Draw what happens to each image."""
        drawn = []
        with isolated_rng():
            for epoch, index in keys:
                seed_rng(self.seed, epoch, index)
                drawn.append(self.augmentation.draw(*self.arrays[index].shape[:2]))
        return drawn


class HeldOnDevice(Views):
    """The same batches from images that a device holds and changes."""

    def __init__(
        self,
        split: Split,
        recipe: Recipe,
        seed: int,
        statistics: Statistics,
        device: torch.device,
    ) -> None:
        self.held = Held(split, recipe, seed, statistics)
        self.places = places(self.held.arrays)
        on_device = HeldPixels.copied(self.held.arrays, device)
        self.augmentation = DeviceAugmentation(self.held.augmentation, on_device)

    def pick(self, keys: Sequence[Key]) -> Arrays:
        """Return what happens to each image."""
        augmentation = self.held.augmentation
        where = [self.places[index] for _, index in keys]
        size = augmentation.recipe.image_size
        decided = decisions(self.held.draw(keys), where, size, augmentation.layers)
        labels = _labels(self.held.split, keys)
        return Arrays(tensors={**decided.tensors, "labels": labels}, counts=decided.counts)

    def finish(self, arrays: Arrays) -> Batch:
        """Make the images of what was decided."""
        return self.augmentation.apply(arrays), arrays.tensors["labels"]


class Evaluated(Views):
    """Batches of resized, centre-cropped images.

    With `hold` all images are resized and cropped once, and kept: in the host's memory, or on
    `device`. `size` is in pixels, by default that of the recipe's validation images.
    """

    def __init__(
        self,
        split: Split,
        recipe: Recipe,
        statistics: Statistics,
        *,
        hold: bool,
        device: torch.device | None = None,
        size: int | None = None,
    ) -> None:
        self.split, self.statistics, self.device = split, statistics, device
        self.transform = create_transform(
            size or recipe.evaluated_size,
            interpolation=recipe.interpolation,
            crop_pct=recipe.evaluation_crop,
            use_prefetcher=True,  # leaves out the normalization: `finish` does it
        )
        self.kept = torch.stack([self._made(i) for i in range(len(split))]) if hold else None
        if self.kept is not None and device is not None:
            self.kept = self.kept.to(device)

    def _made(self, index: int) -> Tensor:
        return _rows(self.transform(self.split.image(index)))

    def pick(self, keys: Sequence[int]) -> Arrays:
        """Return the images as uint8, or where they lie on the device, and their labels."""
        labels = [int(self.split.labels[i]) if i != NO_IMAGE else NO_IMAGE for i in keys]
        indices = [max(index, 0) for index in keys]
        if self.kept is None:
            images = {"images": torch.stack([self._made(index) for index in indices])}
        elif self.device is None:
            images = {"images": self.kept[indices]}
        else:
            images = {"indices": torch.tensor(indices)}
        return Arrays(tensors={**images, "labels": torch.tensor(labels)})

    def finish(self, arrays: Arrays) -> Batch:
        """Normalize."""
        tensors = arrays.tensors
        if "indices" in tensors:
            assert self.kept is not None
            images = self.kept.index_select(0, tensors["indices"])
        else:
            images = tensors["images"]
        return normalize(images.permute(0, 3, 1, 2), self.statistics), tensors["labels"]


class Plain(Views):
    """Training batches without augmentation: cut as for evaluation."""

    def __init__(self, evaluated: Evaluated) -> None:
        self.evaluated = evaluated

    def pick(self, keys: Sequence[Key]) -> Arrays:
        """Return the images without regard to the epoch."""
        return self.evaluated.pick([index for _, index in keys])

    def finish(self, arrays: Arrays) -> Batch:
        """Normalize."""
        return self.evaluated.finish(arrays)


def _rows(image: Any) -> Tensor:
    """Return what timm's transforms give (3, height, width) as (height, width, 3), uint8."""
    return torch.as_tensor(image).permute(1, 2, 0).contiguous()


def _labels(split: Split, keys: Sequence[Key]) -> Tensor:
    return torch.from_numpy(split.labels[[index for _, index in keys]])
