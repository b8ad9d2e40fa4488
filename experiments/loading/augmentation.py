"""A recipe's augmentation of images held in memory, the same as timm's, without its waits.

timm draws, image by image: its own transforms run on stand-ins that record what they are asked to
do, under the random state that they would have in a loading process. Then Pillow does it (here), or
a device does it to a whole batch (`gpu_augmentation`). Both give the same picture as timm for the
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
from timm.data import auto_augment as timm_operations
from timm.data.auto_augment import RandAugment, rand_augment_transform
from timm.data.random_erasing import RandomErasing
from timm.data.transforms import RandomResizedCropAndInterpolation
from torch import Tensor
from torchvision.transforms import ColorJitter

from experiments.data.splits import Statistics
from experiments.loading import lookup
from experiments.loading.lookup import Operation
from roadmap.spec import Recipe

ASPECT = (3 / 4, 4 / 3)
JITTERED: tuple[Operation, ...] = (
    timm_operations.brightness,
    timm_operations.contrast,
    timm_operations.color,
)

Box = tuple[slice, slice, slice]  # channels, rows, columns


@dataclass
class Drawn:
    """What happens to one image: a crop (top, left, height, width), a flip, operations, erasing."""

    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    flip: bool = False
    operations: list[tuple[Operation, tuple]] = field(default_factory=list)
    erased: list[tuple[Box, Tensor]] = field(default_factory=list)

    def __setitem__(self, box: Box, noise: Tensor) -> None:
        """Stand in for the image that timm's RandomErasing writes into."""
        self.erased.append((box, noise))


class Augmentation:
    """A recipe's training augmentation of images held as uint8."""

    def __init__(self, recipe: Recipe, statistics: Statistics) -> None:
        self.recipe, self.statistics = recipe, statistics
        self.fill = tuple(round(255 * share) for share in statistics.mean)
        self.resample = Image.Resampling[recipe.interpolation.upper()]
        self.policy = _policy(recipe, self.fill, self.resample)
        self.erasing = RandomErasing(recipe.erasing, mode="pixel", device="cpu")
        jitter = recipe.color_jitter if not recipe.randaugment else 0.0  # as timm: one of the two
        self.jitter = ColorJitter(jitter, jitter, jitter) if jitter else None

    @property
    def layers(self) -> int:
        """Return the largest number of operations that an image can get."""
        return self.policy.num_layers if self.policy else len(JITTERED) * bool(self.jitter)

    @property
    def operations(self) -> set[Operation]:
        """Return the operations that can be drawn."""
        if self.policy:
            return {op.aug_fn.args[0] for op in self.policy.ops}
        return set(JITTERED) if self.jitter else set()

    def draw(self, height: int, width: int) -> Drawn:
        """Draw what happens to one image of that size from the global generators' state."""
        recipe = self.recipe
        crop = RandomResizedCropAndInterpolation.get_params(
            _sized(height, width), recipe.crop_scale, ASPECT
        )
        flip = recipe.flip > 0 and bool(torch.rand(1) < recipe.flip)
        drawn = Drawn(crop=crop, flip=flip)
        if self.policy:
            self.policy(drawn.operations)
        if self.jitter:
            drawn.operations += _jittered(self.jitter)
        self.draw_erasing(drawn)
        return drawn

    def draw_erasing(self, drawn: Drawn) -> None:
        """Draw the box to erase, if any, and its noise: the last draws of an image."""
        if self.recipe.erasing:
            size = self.recipe.image_size
            self.erasing._erase(drawn, 3, size, size, torch.float32)

    def apply(self, images: Sequence[numpy.ndarray], drawn: Sequence[Drawn]) -> Tensor:
        """Return the images (height, width, 3) as drawn: uint8 (batch, size, size, 3).

        Normalization and erasing come after it.
        """
        size = self.recipe.image_size
        made = numpy.empty((len(images), size, size, 3), dtype=numpy.uint8)
        for index, (image, image_drawn) in enumerate(zip(images, drawn, strict=True)):
            made[index] = numpy.asarray(self._changed(image, image_drawn))
        return torch.from_numpy(made)

    def _changed(self, image: numpy.ndarray, drawn: Drawn) -> Image.Image:
        top, left, height, width = drawn.crop
        size = self.recipe.image_size
        crop = Image.fromarray(image[top : top + height, left : left + width])
        picture = crop.resize((size, size), self.resample)
        if drawn.flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for operation, arguments in drawn.operations:
            if operation in lookup.TABLES:
                picture = lookup.apply(picture, operation, arguments)
            else:
                picture = operation(
                    picture, *arguments, resample=self.resample, fillcolor=self.fill
                )
        return picture


@cache
def _sized(height: int, width: int) -> Tensor:
    """Return a stand-in for an image of that size, without memory of its own."""
    return torch.empty(1).expand(3, height, width)


def _policy(
    recipe: Recipe, fill: tuple[int, ...], resample: Image.Resampling
) -> RandAugment | None:
    """Return timm's RandAugment that records: policy(list) appends (operation, arguments)."""
    if recipe.randaugment is None:
        return None
    hints = {
        "translate_const": int(recipe.image_size * 0.45),
        "img_mean": fill,
        "interpolation": resample,
    }
    policy = rand_augment_transform(recipe.randaugment, hints)
    for operation in policy.ops:
        operation.aug_fn = partial(_record, operation.aug_fn)
    policy.ops = numpy.array(policy.ops)  # timm makes this array for every image
    return policy


def _jittered(jitter: ColorJitter) -> list[tuple[Operation, tuple]]:
    """Draw torchvision's color jitter: brightness, contrast and color in a random order."""
    order, *factors, _ = ColorJitter.get_params(
        jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue
    )
    return [(JITTERED[number], (factors[number],)) for number in order.tolist() if number < 3]


def _record(operation: Operation, recorded: list, *arguments: Any, **_: Any) -> list:
    recorded.append((operation, arguments))
    return recorded
