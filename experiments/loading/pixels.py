"""Pillow's pixel operations on a batch of images at once, to the grey level.

Images are float tensors (batch, 3, height, width) of whole numbers from 0 to 255, on any device.
Each operation rounds where Pillow rounds, so that an image comes out as Pillow would make it, but
for a grey level where a sum falls within float32's error of a rounding edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy
import torch
from torch import Tensor

ONE = 1 << 22  # the weight 1 in Pillow's fixed-point arithmetic
LUMA = (19595, 38470, 7471)  # of red, green, blue, in 65536ths; ITU-R 601


def bilinear(distance: Tensor) -> Tensor:
    """The triangle filter."""
    return (1 - distance.abs()).clamp(min=0)


def bicubic(distance: Tensor) -> Tensor:
    """The cubic filter with a = −0.5 (Keys, 1981)."""
    far = distance.abs()
    near = (1.5 * far - 2.5) * far * far + 1
    tail = ((-0.5 * far + 2.5) * far - 4) * far + 2
    return torch.where(far < 1, near, torch.where(far < 2, tail, 0))


FILTERS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "bilinear": (bilinear, 1),  # with its reach in pixels to either side
    "bicubic": (bicubic, 2),
}


@lru_cache(maxsize=256)  # lengths are whole numbers, and recur
def resampling(length: int, size: int, kind: str, device: torch.device) -> Tensor:
    """The weights that resize `length` pixels to `size`: (size, length), in 2^22ths.

    Downwards the filter widens with the scale, against aliasing. Pillow rounds weights so; whole
    numbers in float64 make every sum exact, in any order.
    """
    weigh, reach = FILTERS[kind]
    scale = length / size
    wide = max(scale, 1.0)
    centre = (torch.arange(size, dtype=torch.float64)[:, None] + 0.5) * scale
    pixel = torch.arange(length, dtype=torch.float64)
    first = (centre - reach * wide + 0.5).floor().clamp(min=0)
    last = (centre + reach * wide + 0.5).floor().clamp(max=length)
    weights = weigh((pixel - centre + 0.5) / wide) * ((pixel >= first) & (pixel < last))
    weights = weights / weights.sum(-1, keepdim=True) * ONE
    return (weights.abs() + 0.5).floor().mul_(weights.sign()).to(device)


def resize(image: Tensor, size: int, kind: str) -> Tensor:
    """(3, height, width), float64 → (3, size, size); rows are resized first, and rounded."""
    height, width = image.shape[-2:]
    across = resampling(width, size, kind, image.device)
    down = resampling(height, size, kind, image.device)
    wide = _rounded((image @ across.mT).div_(ONE))
    return _rounded((down @ wide).div_(ONE))


def _rounded(values: Tensor) -> Tensor:
    return values.add_(0.5).floor_().clamp_(0, 255)


def affine(images: Tensor, matrices: Sequence[Sequence[float]], kind: str, fill: Tensor) -> Tensor:
    """Each output pixel from where its matrix (a, b, c, d, e, f) sends it, `fill` (3,) if outside.

    (x, y) → (ax + by + c, dx + ey + f), of pixel centres, as in Pillow's Image.transform.
    """
    batch, channels, height, width = images.shape
    given = torch.tensor(numpy.array(matrices, dtype=float), device=images.device)
    moves_y = any(tuple(each[3:]) != (0, 1, 0) for each in matrices)
    moves_x = any(tuple(each[:3]) != (1, 0, 0) for each in matrices)
    y = torch.arange(height, device=images.device, dtype=torch.float64)[:, None] + 0.5
    x = torch.arange(width, device=images.device, dtype=torch.float64) + 0.5
    a, b, c, d, e, f = given.T[:, :, None, None]
    at_x, at_y = a * x + b * y + c, d * x + e * y + f  # (batch, height, width)
    inside = (at_x >= 0) & (at_x < width) & (at_y >= 0) & (at_y < height)
    reach = FILTERS[kind][1]
    columns, rest_x = _taps(at_x, width, reach) if moves_x else ([x.long()[None, None]], None)
    rows, rest_y = _taps(at_y, height, reach) if moves_y else ([y.long()[None]], None)
    flat = images.flatten(2)
    lines = []
    for row in rows:
        found = []
        for column in columns:
            index = (row * width + column).expand(batch, height, width).flatten(1)
            tap = flat.gather(2, index[:, None].expand(-1, channels, -1))
            found.append(tap.view_as(images).double())
        lines.append(_between(found, rest_x))
    kept = _between(lines, rest_y).clamp_(0, 255).floor_()  # cut off, not rounded, as in Pillow
    return torch.where(inside[:, None], kept.float(), fill[:, None, None])


def _taps(at: Tensor, size: int, reach: int) -> tuple[list[Tensor], Tensor]:
    """Neighbours along one axis, the border's repeated, and how far `at` is past the second."""
    first = (at - 0.5).floor()
    found = [(first + s).clamp(0, size - 1).long() for s in range(1 - reach, 1 + reach)]
    return found, (at - 0.5 - first)[:, None]


def _between(taps: list[Tensor], rest: Tensor) -> Tensor:
    """The value between one, two or four neighbours; Pillow's cubic has a = −1 here."""
    if len(taps) == 1:
        return taps[0]
    if len(taps) == 2:
        return taps[0] + (taps[1] - taps[0]) * rest
    p, q, r, s = taps
    return q + rest * (r - p + rest * (2 * (p - q) + r - s + rest * (q - p - r + s)))


def look_up(images: Tensor, tables: Tensor) -> Tensor:
    """Each value replaced by its entry in a table; tables (batch, 1 or 3, 256)."""
    tables = tables.expand(len(images), 3, 256)
    return tables.gather(2, images.flatten(2).long()).view_as(images)


def stretch(images: Tensor) -> Tensor:
    """Each channel's darkest value to 0, its brightest to 255 (ImageOps.autocontrast)."""
    low, high = images.flatten(2).double().aminmax(dim=2, keepdim=True)
    scale = torch.full_like(low, 255) / (high - low)
    values = torch.arange(256, device=images.device, dtype=torch.float64)
    tables = (values * scale + -low * scale).clamp_(0, 255).floor_()
    return look_up(images, torch.where(high > low, tables, values).float())


def equalize(images: Tensor) -> Tensor:
    """Each channel's histogram made as even as its values allow (ImageOps.equalize)."""
    flat = images.flatten(2).long()
    histogram = torch.zeros(*flat.shape[:2], 256, dtype=torch.long, device=images.device)
    histogram.scatter_add_(2, flat, torch.ones_like(flat))
    brightest = histogram.gather(2, flat.amax(dim=2, keepdim=True))
    step = (flat.shape[2] - brightest) // 255
    below = histogram.cumsum(2) - histogram
    tables = (step // 2 + below) // step.clamp(min=1)
    same = torch.arange(256, device=images.device).expand_as(tables)
    tables = torch.where(step == 0, same, tables.clamp_(max=255))
    return look_up(images, tables.float())


def blend(images: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    """`other` at factor 0, the image at 1, beyond it at more; factors (batch,)."""
    mixed = other + factors[:, None, None, None] * (images - other)
    return mixed.clamp_(0, 255).floor_()


def grey(images: Tensor) -> Tensor:
    """Luma, (batch, 1, height, width)."""
    shares = torch.tensor(LUMA, device=images.device, dtype=torch.long)[:, None, None]
    return (((images.long() * shares).sum(1, keepdim=True) + 0x8000) >> 16).float()


def mean_grey(images: Tensor) -> Tensor:
    """The mean of luma, rounded, (batch, 1, 1, 1)."""
    return (grey(images).double().mean((1, 2, 3), keepdim=True) + 0.5).floor_().float()


def smooth(images: Tensor) -> Tensor:
    """A 3×3 mean, five times the weight on the centre; the border stays (ImageFilter.SMOOTH)."""
    if min(images.shape[2:]) < 3:
        return images
    around = torch.nn.functional.avg_pool2d(images, 3, stride=1) * 9
    made = images.clone()
    made[:, :, 1:-1, 1:-1] = _rounded((around + 4 * images[:, :, 1:-1, 1:-1]) / 13)
    return made
