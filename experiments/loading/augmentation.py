"""A recipe's augmentation of images held in memory, the same as timm's, without its waits.

timm draws, image by image: its own transforms are run on stand-ins that write down what they are
asked to do, under the random state that they would have in a loading process. Pillow then does it
(here), or on a GPU `batched` does it to all images at once. All three give the same picture for the
same (seed, epoch, index), to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy
import torch
from PIL import Image
from timm.data.auto_augment import RandAugment, rand_augment_transform
from timm.data.random_erasing import RandomErasing
from timm.data.transforms import RandomResizedCropAndInterpolation
from torch import Tensor

from experiments.data.splits import Statistics
from experiments.loading import lookup as tables
from experiments.loading.lookup import Operation
from roadmap.spec import Recipe

ASPECT = (3 / 4, 4 / 3)


@dataclass
class Drawn:
    """What happens to one image: a crop (top, left, height, width), a flip, operations, erasing."""

    crop: tuple[int, int, int, int]
    flip: bool
    operations: list[tuple[Operation, tuple]] = field(default_factory=list)
    erased: list[tuple[tuple[slice, ...], Tensor]] = field(default_factory=list)

    def __setitem__(self, where: tuple[slice, ...], noise: Tensor) -> None:
        """Stand in for the image that timm's RandomErasing writes into."""
        self.erased.append((where, noise))


class Augmentation:
    """A recipe's training augmentation of images held as uint8."""

    def __init__(self, recipe: Recipe, statistics: Statistics) -> None:
        self.recipe, self.statistics = recipe, statistics
        self.fill = tuple(round(255 * each) for each in statistics.mean)
        self.resample = Image.Resampling[recipe.interpolation.upper()]
        self.policy = _policy(recipe, self.fill, self.resample)
        self.erasing = RandomErasing(recipe.erasing, mode="pixel", device="cpu")

    def draw(self, height: int, width: int) -> Drawn:
        """What happens to one image of that size, from the global generators' present state."""
        recipe = self.recipe
        crop = RandomResizedCropAndInterpolation.get_params(
            _sized(height, width), recipe.crop_scale, ASPECT
        )
        flip = recipe.flip > 0 and bool(torch.rand(1) < recipe.flip)
        drawn = Drawn(crop=crop, flip=flip)
        if self.policy:
            self.policy(drawn.operations)
        if recipe.erasing:
            self.erasing._erase(drawn, 3, recipe.image_size, recipe.image_size, torch.float32)
        return drawn

    def apply(self, images: Sequence[numpy.ndarray], drawn: Sequence[Drawn]) -> Tensor:
        """The images (height, width, 3) as drawn: (batch, 3, image_size, image_size), normalized.

        Channels last in memory.
        """
        size = self.recipe.image_size
        made = numpy.empty((len(images), size, size, 3), dtype=numpy.uint8)
        for index, (image, each) in enumerate(zip(images, drawn, strict=True)):
            made[index] = self._changed(image, each)
        batch = normalize(torch.from_numpy(made).permute(0, 3, 1, 2), self.statistics)
        return erase(batch, drawn)

    def _changed(self, image: numpy.ndarray, drawn: Drawn) -> Image.Image:
        top, left, height, width = drawn.crop
        size = self.recipe.image_size
        crop = Image.fromarray(image[top : top + height, left : left + width])
        picture = crop.resize((size, size), self.resample)
        if drawn.flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for operation, arguments in drawn.operations:
            if operation in tables.TABLES:
                picture = tables.apply(picture, operation, arguments)
            else:
                picture = operation(
                    picture, *arguments, resample=self.resample, fillcolor=self.fill
                )
        return picture


def normalize(images: Tensor, statistics: Statistics) -> Tensor:
    """Values of 0 to 255 to mean 0 and standard deviation 1 by channel, as timm's Normalize."""
    mean, std = (
        torch.tensor(each, device=images.device)[:, None, None]
        for each in (statistics.mean, statistics.std)
    )
    return images.float().div_(255).sub_(mean).div_(std)


def erase(batch: Tensor, drawn: Sequence[Drawn]) -> Tensor:
    """Write what was drawn for random erasing into a normalized batch."""
    for image, each in zip(batch, drawn, strict=True):
        for where, noise in each.erased:
            image[where] = noise.to(image.device)
    return batch


@cache
def _sized(height: int, width: int) -> Tensor:
    """A stand-in for an image of that size, without memory of its own."""
    return torch.empty(1).expand(3, height, width)


def _policy(
    recipe: Recipe, fill: tuple[int, ...], resample: Image.Resampling
) -> RandAugment | None:
    """timm's RandAugment with every operation only noted: policy(list) appends (operation, …)."""
    if recipe.randaugment is None:
        return None
    hints = {
        "translate_const": int(recipe.image_size * 0.45),
        "img_mean": fill,
        "interpolation": resample,
    }
    policy = rand_augment_transform(recipe.randaugment, hints)
    for operation in policy.ops:
        operation.aug_fn = partial(_note, operation.aug_fn)
    policy.ops = numpy.array(policy.ops)  # timm makes this array for every image
    return policy


def _note(operation: Operation, noted: list, *arguments: Any, **_: Any) -> list:
    noted.append((operation, arguments))
    return noted
