"""What happens to each image of a batch, as arrays that one copy brings to a device."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy
import torch
from timm.data import auto_augment as timm_operations

from experiments.loading import lookup
from experiments.loading.augmentation import Drawn
from experiments.loading.erasing import erasing_arrays
from experiments.loading.lookup import Operation
from experiments.loading.packet import Arrays

Matrix = tuple[float, float, float, float, float, float]  # as Image.transform takes it

# The kinds of operation, in the order in which a layer's images lie: see gpu_augmentation.
TABLE, STRETCH, EQUALIZE, CONTRAST, COLOUR, SHARPNESS, MOVE = KINDS = range(7)


def _rotation(degrees: float, size: int) -> Matrix:
    """Return Image.rotate's matrix, computed in its order: another order rounds differently."""
    angle = -math.radians(degrees % 360.0)
    cos, sin, minus_sin = round(math.cos(angle), 15), round(math.sin(angle), 15), -math.sin(angle)
    minus_sin, middle = round(minus_sin, 15), size / 2
    shift_x = cos * -middle + sin * -middle + middle
    shift_y = minus_sin * -middle + cos * -middle + middle
    return (cos, sin, shift_x, minus_sin, cos, shift_y)


MATRICES: dict[Operation, Callable[[float, int], Matrix]] = {
    timm_operations.rotate: _rotation,
    timm_operations.shear_x: lambda factor, _: (1, factor, 0, 0, 1, 0),
    timm_operations.shear_y: lambda factor, _: (1, 0, 0, factor, 1, 0),
    timm_operations.translate_x_rel: lambda part, size: (1, 0, part * size, 0, 1, 0),
    timm_operations.translate_y_rel: lambda part, size: (1, 0, 0, 0, 1, part * size),
    timm_operations.translate_x_abs: lambda shift, _: (1, 0, shift, 0, 1, 0),
    timm_operations.translate_y_abs: lambda shift, _: (1, 0, 0, 0, 1, shift),
}

KIND: dict[Operation, int] = {
    timm_operations.invert: TABLE,
    timm_operations.posterize: TABLE,
    timm_operations.solarize: TABLE,
    timm_operations.solarize_add: TABLE,
    timm_operations.brightness: TABLE,
    timm_operations.auto_contrast: STRETCH,
    timm_operations.equalize: EQUALIZE,
    timm_operations.contrast: CONTRAST,
    timm_operations.color: COLOUR,
    timm_operations.sharpness: SHARPNESS,
    **dict.fromkeys(MATRICES, MOVE),
}


def decisions(
    drawn: Sequence[Drawn], places: Sequence[tuple[int, int]], size: int, layers: int
) -> Arrays:
    """Return what was drawn for images of which `places` are (first pixel, width) in one buffer.

    `crops` (batch, 6) are the crop's first pixel in the buffer, the image's width, the crop's last
    row and column, and its rows in Resampling for width and height. The layers are those of
    RandAugment: `layers` of them, with counts of images by kind.
    """
    crops, tallest, widest = [], 1, 1
    counts: dict[str, tuple[int, ...]] = {}
    for (start, stride), image in zip(places, drawn, strict=True):
        top, left, height, width = image.crop
        tallest, widest = max(tallest, height), max(widest, width)
        empty = not (height and width)  # a crop of a tiny image can be; it becomes black
        corner = start if empty else start + top * stride + left
        rows = (2 * width + image.flip, 2 * height)
        crops.append((corner, stride, max(height - 1, 0), max(width - 1, 0), *rows))
    tensors = {"crops": torch.tensor(crops)} | erasing_arrays(drawn, size)
    counts["crop"] = (tallest, widest)
    for layer in range(layers):
        arrays = _layer(drawn, layer, size)
        tensors |= {f"{name}{layer}": tensor for name, tensor in arrays.tensors.items()}
        counts[f"kinds{layer}"] = arrays.counts["kinds"]
    return Arrays(tensors=tensors, counts=counts)


def _layer(drawn: Sequence[Drawn], layer: int, size: int) -> Arrays:
    """Return one layer's operations: the images that have one, kind by kind, and its arguments."""
    kinds: list[list[tuple[int, Operation, tuple]]] = [[] for _ in KINDS]
    for index, image in enumerate(drawn):
        if layer < len(image.operations):
            operation, arguments = image.operations[layer]
            kinds[KIND[operation]].append((index, operation, arguments))
    rows = [lookup.table(operation, *given) for _, operation, given in kinds[TABLE]]
    tables = numpy.stack(rows) if rows else numpy.empty((0, 256), dtype=numpy.uint8)
    blends = (*kinds[CONTRAST], *kinds[COLOUR], *kinds[SHARPNESS])
    matrices = [MATRICES[operation](given[0], size) for _, operation, given in kinds[MOVE]]
    tensors = {
        "members": torch.tensor([index for kind in kinds for index, *_ in kind], dtype=torch.long),
        "tables": torch.from_numpy(tables),
        "factors": torch.tensor([given[0] for *_, given in blends], dtype=torch.float32),
        "matrices": torch.tensor(matrices, dtype=torch.float64).view(-1, 6),
    }
    return Arrays(tensors=tensors, counts={"kinds": tuple(len(kind) for kind in kinds)})
