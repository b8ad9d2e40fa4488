"""Augmentation of a whole batch at once, for images that live on a GPU: see `augmentation`.

Operations of the same kind are done together, each exactly as timm has Pillow do it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy
import torch
from timm.data import auto_augment as timm_operations
from torch import Tensor

from experiments.data.splits import Statistics
from experiments.loading import lookup as tables
from experiments.loading import pixels
from experiments.loading.augmentation import Augmentation, Drawn, erase, normalize
from experiments.loading.lookup import Operation
from roadmap.spec import Recipe


def apply(augmentation: Augmentation, images: Sequence[Tensor], drawn: Sequence[Drawn]) -> Tensor:
    """As Augmentation.apply, of uint8 images (3, height, width) on any device with float64."""
    recipe = augmentation.recipe
    batch = _cropped(images, drawn, recipe.image_size, recipe.interpolation)
    for layer in range(max(len(each.operations) for each in drawn)):
        members = [
            (index, *each.operations[layer])
            for index, each in enumerate(drawn)
            if layer < len(each.operations)
        ]
        _operate(batch, members, augmentation)
    return erase(normalize(batch, augmentation.statistics), drawn)


def is_supported(recipe: Recipe) -> bool:
    """Whether every operation that the recipe can draw has its counterpart here."""
    policy = Augmentation(recipe, Statistics()).policy
    return policy is None or all(each.aug_fn.args[0] in GROUPS for each in policy.ops)


def _cropped(images: Sequence[Tensor], drawn: Sequence[Drawn], size: int, kind: str) -> Tensor:
    """The crops, resized and flipped, as whole numbers."""
    made = []
    for image, each in zip(images, drawn, strict=True):
        top, left, height, width = each.crop
        crop = image[:, top : top + height, left : left + width].double()
        crop = pixels.resize(crop, size, kind)
        made.append(crop.flip(2) if each.flip else crop)
    return torch.stack(made).float()


# Each group changes images (n, 3, h, w), given per image its operation with its arguments.

Calls = Sequence[tuple[Operation, tuple]]


def _tabled(images: Tensor, calls: Calls, _how: Augmentation) -> Tensor:
    """Operations that change a value whatever is around it: timm's own, on a ramp of all values."""
    found = numpy.stack([tables.table(operation, *given) for operation, given in calls])
    return pixels.look_up(images, torch.from_numpy(found).float().to(images.device)[:, None])


def _moved(images: Tensor, calls: Calls, how: Augmentation) -> Tensor:
    height, width = images.shape[2:]
    matrices = [MATRICES[operation](*given, width, height) for operation, given in calls]
    fill = torch.tensor(how.fill, device=images.device)
    return pixels.affine(images, matrices, how.recipe.interpolation, fill)


def _blended(other: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Calls, Augmentation], Tensor]:
    def blended(images: Tensor, calls: Calls, _how: Augmentation) -> Tensor:
        factors = torch.tensor([arguments[0] for _, arguments in calls], device=images.device)
        return pixels.blend(images, other(images), factors)

    return blended


def _stretched(images: Tensor, _calls: Calls, _how: Augmentation) -> Tensor:
    return pixels.stretch(images)


def _equalized(images: Tensor, _calls: Calls, _how: Augmentation) -> Tensor:
    return pixels.equalize(images)


def _rotation(degrees: float, width: int, height: int) -> tuple[float, ...]:
    angle = -math.radians(degrees % 360.0)
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    x, y = width / 2, height / 2
    return (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)


MATRICES: dict[Operation, Callable[..., tuple[float, ...]]] = {
    timm_operations.rotate: _rotation,
    timm_operations.shear_x: lambda factor, *_: (1, factor, 0, 0, 1, 0),
    timm_operations.shear_y: lambda factor, *_: (1, 0, 0, factor, 1, 0),
    timm_operations.translate_x_rel: lambda part, width, _: (1, 0, part * width, 0, 1, 0),
    timm_operations.translate_y_rel: lambda part, _, height: (1, 0, 0, 0, 1, part * height),
    timm_operations.translate_x_abs: lambda shift, *_: (1, 0, shift, 0, 1, 0),
    timm_operations.translate_y_abs: lambda shift, *_: (1, 0, 0, 0, 1, shift),
}

# Which operations are done together, and how.
GROUPS: dict[Operation, tuple[str, Callable[[Tensor, Calls, Augmentation], Tensor]]] = {
    timm_operations.invert: ("table", _tabled),
    timm_operations.posterize: ("table", _tabled),
    timm_operations.solarize: ("table", _tabled),
    timm_operations.solarize_add: ("table", _tabled),
    timm_operations.brightness: ("table", _tabled),
    timm_operations.auto_contrast: ("stretch", _stretched),
    timm_operations.equalize: ("equalize", _equalized),
    timm_operations.contrast: ("contrast", _blended(pixels.mean_grey)),
    timm_operations.color: ("colour", _blended(pixels.grey)),
    timm_operations.sharpness: ("sharpness", _blended(pixels.smooth)),
    timm_operations.rotate: ("turn", _moved),
    timm_operations.shear_x: ("across", _moved),
    timm_operations.translate_x_rel: ("across", _moved),
    timm_operations.translate_x_abs: ("across", _moved),
    timm_operations.shear_y: ("down", _moved),
    timm_operations.translate_y_rel: ("down", _moved),
    timm_operations.translate_y_abs: ("down", _moved),
}


def _operate(batch: Tensor, members: list[tuple[int, Operation, tuple]], how: Augmentation) -> None:
    """Change, in place, the images that have an operation."""
    groups = defaultdict(list)
    for index, operation, arguments in members:
        groups[GROUPS[operation]].append((index, operation, arguments))
    for (_, change), group in groups.items():
        where = torch.tensor([index for index, *_ in group], device=batch.device)
        batch[where] = change(batch[where], [tuple(call) for _, *call in group], how)
