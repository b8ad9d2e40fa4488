"""Change an image together with its objects or its label map, by torchvision's transforms.

An image is uint8 (3, height, width). Draws come from torch's global generator.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from experiments.data.scene import UNLABELLED, Objects
from roadmap.tasks import LONGEST_CROPPED, Segmentation

# DETR's crops, which the paper's recipe of Mask R-CNN uses: short sides, and sides of a crop.
CROPPED_FROM, CROP = (400, 500, 600), (384, 600)
ATTEMPTS = 10  # at a crop that no class fills
LEAST = 1.0  # pixels a side of a box that is left of an object

Target = dict[str, Tensor]  # boxes (objects, 4), labels (objects,), masks (objects, height, width)


def target_of(objects: Objects, size: tuple[int, int]) -> Target:
    """Return the objects that are trained on, for an image of (height, width): no crowds."""
    kept = ~objects.crowd
    boxes = torch.from_numpy(objects.boxes[kept])
    return {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        "labels": torch.from_numpy(objects.labels[kept]),
        "masks": tv_tensors.Mask(torch.from_numpy(objects.masks[kept])),
    }


def change_for_detection(
    image: Tensor, target: Target, *, crops: bool, flip: float
) -> tuple[Tensor, Target]:
    """Mirror the image with probability `flip`; with `crops`, crop every second one.

    Objects that a crop leaves less than a pixel of are gone.
    """
    image = tv_tensors.Image(image)
    if crops and torch.rand(()) < 0.5:
        sized = v2.RandomShortestSize(list(CROPPED_FROM), max_size=LONGEST_CROPPED)
        image, target = sized(image, target)
        image, target = _Crop()(image, target)
        clamp = v2.Compose([v2.ClampBoundingBoxes(), v2.SanitizeBoundingBoxes(min_size=LEAST)])
        image, target = clamp(image, target)
    return v2.RandomHorizontalFlip(flip)(image, target)


class _Crop(v2.Transform):
    """Keep a part whose sides are drawn from CROP, or the whole side if it is shorter."""

    def make_params(self, flat_inputs: list[object]) -> dict[str, int]:
        """Draw the part of an image."""
        height, width = v2.query_size(flat_inputs)
        rows, columns = (_drawn(min(CROP[0], side), min(CROP[1], side)) for side in (height, width))
        top, left = _drawn(0, height - rows), _drawn(0, width - columns)
        return {"top": top, "left": left, "height": rows, "width": columns}

    def transform(self, inpt: object, params: dict[str, int]) -> object:
        """Crop an image, boxes or masks."""
        return self._call_kernel(functional.crop, inpt, **params)


def _drawn(low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, ()))


def resized(image: Tensor, task: Segmentation, interpolation: str, factor: float = 1.0) -> Tensor:
    """Return the image at the task's size times `factor`, with its proportions."""
    height, width = image.shape[-2:]
    scale = factor * min(task.short_side / min(height, width), task.long_side / max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    if size == [height, width]:
        return image
    return functional.resize(image, size, functional.InterpolationMode(interpolation))


def change_for_segmentation(
    image: Tensor, label_map: Tensor, task: Segmentation, *,
    size: int, interpolation: str, flip: float, fill: tuple[int, ...],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return a square of `size` pixels of a scaled image, and its label map, uint8 (size, size).

    Where the image ends before the square, it is filled with the colour `fill`, and unlabelled.
    """
    low, high = task.scales
    image = resized(image, task, interpolation, low + float(torch.rand(())) * (high - low))
    scaled = functional.resize(
        label_map[None], list(image.shape[-2:]), functional.InterpolationMode.NEAREST
    )[0]
    for _ in range(ATTEMPTS):
        top, left = (_drawn(0, max(0, side - size)) for side in scaled.shape)
        part = scaled[top : top + size, left : left + size]
        if _is_varied(part, task.most_of_class):
            break
    image = image[:, top : top + size, left : left + size]
    if torch.rand(()) < flip:
        image, part = image.flip(-1), part.flip(-1)
    if task.photometric:
        image = _photometric()(image)
    square = torch.tensor(fill, dtype=torch.uint8)[:, None, None].repeat(1, size, size)
    labels = torch.full((size, size), UNLABELLED, dtype=torch.uint8)
    rows, columns = part.shape
    square[:, :rows, :columns], labels[:rows, :columns] = image, part
    return square, labels


def _is_varied(part: Tensor, most: float) -> bool:
    counts = torch.bincount(part.flatten().long(), minlength=UNLABELLED + 1)[:UNLABELLED]
    return int((counts > 0).sum()) > 1 and int(counts.max()) < most * int(counts.sum())


@cache
def _photometric() -> v2.Transform:
    """Return changes of brightness, contrast, saturation and hue, each for every second image."""
    changes = (
        v2.ColorJitter(brightness=(0.875, 1.125)),
        v2.ColorJitter(contrast=(0.5, 1.5)),
        v2.ColorJitter(saturation=(0.5, 1.5)),
        v2.ColorJitter(hue=(-0.1, 0.1)),
    )
    return v2.Compose([v2.RandomApply([change], 0.5) for change in changes])
