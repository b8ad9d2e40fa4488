"""Operations that replace each value by a table's entry, with tables made once.

Pillow would make the table for every image. The tables here are Pillow's own results for all 256
values, so the images stay the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy
from PIL import Image
from timm.data import auto_augment as timm_operations

Operation = Callable[..., Image.Image]  # one of timm's functions of an image


@lru_cache(maxsize=4096)
def table(operation: Operation, *arguments: Any, low: int = 0, high: int = 255) -> numpy.ndarray:
    """Return what an operation makes of every value from `low` to `high`: (256,), 0 elsewhere."""
    results = numpy.zeros(256, dtype=numpy.uint8)
    ramp = Image.fromarray(numpy.arange(low, high + 1, dtype=numpy.uint8)[None])
    results[low : high + 1] = numpy.asarray(operation(ramp, *arguments))[0]
    return results


def apply(picture: Image.Image, operation: Operation, arguments: tuple) -> Image.Image:
    """Apply an operation, one of TABLES, to an RGB picture."""
    values = numpy.asarray(picture)
    return Image.fromarray(TABLES[operation](values, operation, arguments))


def _looked_up(values: numpy.ndarray, operation: Operation, arguments: tuple) -> numpy.ndarray:
    return table(operation, *arguments)[values]


def _stretched(values: numpy.ndarray, operation: Operation, _arguments: tuple) -> numpy.ndarray:
    flat = values.reshape(-1, 3)
    ends = zip(flat.min(0).tolist(), flat.max(0).tolist(), strict=True)
    return _by_channel(values, [table(operation, low=low, high=high) for low, high in ends])


def _equalized(values: numpy.ndarray, _operation: Operation, _arguments: tuple) -> numpy.ndarray:
    flat = values.reshape(-1, 3)
    return _by_channel(values, [_equal_table(flat[:, channel]) for channel in range(3)])


def _equal_table(values: numpy.ndarray) -> numpy.ndarray:
    histogram = numpy.bincount(values, minlength=256)
    step = (len(values) - histogram[values.max()]) // 255
    if not step:
        return _identity()
    below = histogram.cumsum() - histogram
    return ((step // 2 + below) // step).clip(max=255).astype(numpy.uint8)


@cache
def _identity() -> numpy.ndarray:
    return numpy.arange(256, dtype=numpy.uint8)


def _by_channel(values: numpy.ndarray, tables: list[numpy.ndarray]) -> numpy.ndarray:
    return numpy.stack([tables[channel][values[..., channel]] for channel in range(3)], axis=-1)


TABLES: dict[Operation, Callable[[numpy.ndarray, Operation, tuple], numpy.ndarray]] = {
    timm_operations.invert: _looked_up,
    timm_operations.posterize: _looked_up,
    timm_operations.solarize: _looked_up,
    timm_operations.solarize_add: _looked_up,
    timm_operations.auto_contrast: _stretched,
    timm_operations.equalize: _equalized,
}
