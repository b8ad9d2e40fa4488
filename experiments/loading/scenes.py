"""Batches of images for detection and segmentation: images of various sizes with their targets.

torchvision's transforms change an image together with its boxes and masks. As everywhere, a
training image is a function of (seed, epoch, index) and of nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy
import torch
from torch import Tensor

from experiments.data.splits import Split, Statistics
from experiments.loading.erasing import normalize
from experiments.loading.packet import Arrays
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import NO_IMAGE
from experiments.loading.scene_augmentation import (
    Target,
    change_for_detection,
    change_for_segmentation,
    resized,
    target_of,
)
from experiments.loading.views import Views
from roadmap.spec import Recipe
from roadmap.tasks import Detection, Segmentation

RANKS = {"images": 3, "boxes": 2, "labels": 1, "masks": 3, "maps": 2}  # dimensions of each array


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """A batch: images (3, height, width) each, a target for each, and the images' numbers.

    A detection image is on a scale of 0 to 1, and its target is a dict. A segmentation image is
    normalized, and its target is a label map (height, width) of whole numbers.
    """

    images: tuple[Tensor, ...]
    targets: tuple[Any, ...]
    numbers: tuple[int, ...]

    def __iter__(self) -> Iterator[Tensor]:
        """Give all tensors."""
        yield from self.images
        for target in self.targets:
            yield from target.values() if isinstance(target, dict) else (target,)


class SceneViews(Views):
    """Batches of scenes; training images are augmented if a `seed` is given."""

    finished_late = True  # a loading process hands over arrays, not the batch

    def __init__(
        self, split: Split, recipe: Recipe, statistics: Statistics, seed: int | None = None
    ) -> None:
        self.split, self.recipe, self.statistics, self.seed = split, recipe, statistics, seed

    @abstractmethod
    def made(self, image: Tensor, index: int) -> dict[str, Tensor]:
        """Return the arrays of one image, by the names of RANKS."""

    def pick(self, keys: Sequence[Any]) -> Arrays:
        """Return all arrays flat, one after the other, with their shapes."""
        scenes, numbers = [], []
        with isolated_rng():
            for key in keys:
                epoch, index = key if self.seed is not None else (0, key)
                if index == NO_IMAGE:
                    continue
                image = numpy.array(self.split.image(index))
                if self.seed is not None:
                    seed_rng(self.seed, epoch, index)
                scenes.append(self.made(torch.from_numpy(image).permute(2, 0, 1), index))
                numbers.append(int(index))
        tensors, counts = {}, {"numbers": tuple(numbers)}
        for name in scenes[0] if scenes else ():
            arrays = [scene[name] for scene in scenes]
            tensors[name] = torch.cat([array.flatten() for array in arrays])
            counts[name] = tuple(side for array in arrays for side in array.shape)
        return Arrays(tensors=tensors, counts=counts)

    def finish(self, arrays: Arrays) -> Scenes:
        """Return the batch."""
        parts = {name: _parts(arrays, name) for name in arrays.tensors}
        numbers = arrays.counts["numbers"]
        scenes = [{name: parts[name][place] for name in parts} for place in range(len(numbers))]
        return Scenes(
            images=tuple(self.image(scene.pop("images")) for scene in scenes),
            targets=tuple(map(self.target, scenes)),
            numbers=numbers,
        )

    @abstractmethod
    def image(self, image: Tensor) -> Tensor:
        """Return an image, uint8 (3, height, width), as the network takes it."""

    @abstractmethod
    def target(self, arrays: dict[str, Tensor]) -> Any:
        """Return the target of an image."""


class DetectionViews(SceneViews):
    """Images at their own size, with boxes, labels from 1, and masks; the network resizes them."""

    def made(self, image: Tensor, index: int) -> dict[str, Tensor]:
        """Return an image with the objects that are left in it."""
        if self.seed is None:
            return {"images": image}
        assert self.split.objects is not None and isinstance(self.recipe.task, Detection)
        target: Target = target_of(self.split.objects(index), (image.shape[1], image.shape[2]))
        crops = self.recipe.task.crops
        image, target = change_for_detection(image, target, crops=crops, flip=self.recipe.flip)
        masks = {} if self.recipe.task.has_masks else {"masks": target["masks"][:0]}
        plain = {name: array.as_subclass(Tensor) for name, array in (target | masks).items()}
        return {"images": image.as_subclass(Tensor), **plain}

    def image(self, image: Tensor) -> Tensor:
        """Return the image on a scale of 0 to 1."""
        return image.float() / 255

    def target(self, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the target, in which 0 is the background."""
        return {**arrays, "labels": arrays["labels"] + 1} if arrays else {}


class SegmentationViews(SceneViews):
    """Squares of images with their label maps; in validation whole images, the maps as they are."""

    def made(self, image: Tensor, index: int) -> dict[str, Tensor]:
        """Return an image, resized, and its label map."""
        task = self.recipe.task
        assert self.split.label_map is not None and isinstance(task, Segmentation)
        label_map = torch.from_numpy(numpy.array(self.split.label_map(index)))
        if self.seed is None:
            return {"images": resized(image, task, self.recipe.interpolation), "maps": label_map}
        fill = tuple(round(255 * share) for share in self.statistics.mean)
        image, label_map = change_for_segmentation(
            image, label_map, task, size=self.recipe.image_size, flip=self.recipe.flip,
            interpolation=self.recipe.interpolation, fill=fill,
        )  # fmt: skip
        return {"images": image, "maps": label_map}

    def image(self, image: Tensor) -> Tensor:
        """Return the image normalized."""
        return normalize(image[None], self.statistics)[0]

    def target(self, arrays: dict[str, Tensor]) -> Tensor:
        """Return the label map as whole numbers."""
        return arrays["maps"].long()


def _parts(arrays: Arrays, name: str) -> list[Tensor]:
    """Cut a flat tensor into the arrays that it holds."""
    sides, rank = arrays.counts[name], RANKS[name]
    shapes = [sides[start : start + rank] for start in range(0, len(sides), rank)]
    flat = arrays.tensors[name].split([prod(shape) for shape in shapes])
    return [part.view(shape) for part, shape in zip(flat, shapes, strict=True)]
