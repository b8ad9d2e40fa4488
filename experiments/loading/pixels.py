"""Pillow's pixel operations on a batch of images at once, equal to Pillow's to the bit.

Images are uint8 tensors (batch, 3, size, size) on any device. Each operation rounds where Pillow
rounds. No operation reads a value back from the device, and the number of operations does not
depend on the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

LUMA = (19595, 38470, 7471)  # of red, green, blue, in 65536ths; ITU-R 601
REACH = {"bilinear": 1, "bicubic": 2}  # pixels to either side


@cache
def constant(values: Sequence[float], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return `values` as a tensor, made once: a copy to a GPU waits for it."""
    return torch.tensor(values, dtype=dtype, device=device)


@cache
def _centres(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return x (1, size) and y (size, 1) of pixel centres."""
    centres = torch.arange(size, dtype=torch.float64, device=device) + 0.5
    return centres[None], centres[:, None]


def affine(images: Tensor, matrices: Tensor, kind: str, fill: Tensor) -> Tensor:
    """Take each output pixel from where the image's matrix sends it, from `fill` (3,) if outside.

    Matrices (batch, 6) are float64. As in Pillow's Image.transform, (a, b, c, d, e, f) sends pixel
    centres (x, y) to (ax + by + c, dx + ey + f).
    """
    batch, _, _, size = images.shape
    reach = REACH[kind]
    x, y = _centres(size, images.device)
    by_x, by_y, shift = matrices.view(batch, 2, 3, 1, 1).unbind(2)
    at = by_x * x + by_y * y + shift  # (batch, 2, size, size): x, then y
    inside = ((at >= 0) & (at < size)).all(1, keepdim=True)
    at = at - 0.5
    first = at.floor()
    rest_x, rest_y = (at - first).unsqueeze(2).unbind(1)
    shifts = constant(tuple(range(1 - reach, 1 + reach)), torch.float64, images.device)
    taps = (first.unsqueeze(2) + shifts.view(-1, 1, 1)).clamp_(0, size - 1).long()
    column, row = taps.unbind(1)  # (batch, taps, size, size)
    place = row.unsqueeze(2) * size + column.unsqueeze(1)
    values = images.flatten(2).gather(2, place.flatten(1).unsqueeze(1).expand(-1, 3, -1)).short()
    values = values.view(batch, 3, 2 * reach, 2 * reach, size, size)
    lines = _between(values.unbind(3), rest_x.unsqueeze(1))
    made = _between(lines.unbind(2), rest_y)
    kept = made.clamp_(0, 255).to(torch.uint8)  # cut off, not rounded, as in Pillow
    return torch.where(inside, kept, fill.view(3, 1, 1))


def _between(taps: Sequence[Tensor], rest: Tensor) -> Tensor:
    """Return the value between two or four neighbours; Pillow's cubic has a = −1 here."""
    if len(taps) == 2:
        return taps[0] + (taps[1] - taps[0]) * rest
    p, q, r, s = taps
    fall = p - q
    square, cubic = fall * 2 + r - s, s - (fall + r)
    return q + rest * (r - p + rest * (square + rest * cubic))


def look_up(images: Tensor, tables: Tensor) -> Tensor:
    """Replace each value by its entry in its channel's table; tables (batch, 3, 256), uint8."""
    return tables.gather(2, images.flatten(2).long()).view_as(images)


def stretching(images: Tensor) -> Tensor:
    """Return tables: each channel's darkest value to 0, its brightest to 255 (autocontrast)."""
    values = constant(tuple(range(256)), torch.float64, images.device)
    low, high = images.flatten(2).aminmax(dim=2, keepdim=True)
    low = low.double()
    spread = high - low
    scale = values[255] / spread
    tables = (values * scale - low * scale).clamp_(0, 255).floor_()
    return torch.where(spread > 0, tables, values).to(torch.uint8)


def equalizing(images: Tensor) -> Tensor:
    """Return tables: each channel's histogram as even as its values allow (ImageOps.equalize)."""
    flat = images.flatten(2).long()
    histogram = flat.new_zeros(len(flat), 3, 256)
    histogram.scatter_add_(2, flat, constant((1,), torch.long, images.device).expand_as(flat))
    brightest = histogram.gather(2, flat.amax(dim=2, keepdim=True))
    step = (flat.shape[2] - brightest) // 255
    below = histogram.cumsum(2) - histogram
    tables = ((step // 2 + below) // step.clamp(min=1)).clamp_(max=255)
    same = constant(tuple(range(256)), torch.long, images.device)
    return torch.where(step == 0, same, tables).to(torch.uint8)


def blend(images: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    """Return `other` at factor 0, the image at 1, beyond it above 1; factors (batch,), float32."""
    other = other.float()
    mixed = other + factors.view(-1, 1, 1, 1) * (images - other)
    return mixed.clamp_(0, 255).to(torch.uint8)


def grey(images: Tensor) -> Tensor:
    """Return luma, (batch, 1, size, size), int32."""
    shares = constant(LUMA, torch.int32, images.device).view(3, 1, 1)
    return ((images * shares).sum(1, keepdim=True, dtype=torch.int32) + 0x8000) >> 16


def mean(luma: Tensor) -> Tensor:
    """Return the mean over each image, rounded half up, (batch, 1, 1, 1), int64."""
    pixels = luma.shape[2] * luma.shape[3]
    return (luma.sum((1, 2, 3), keepdim=True) * 2 + pixels) // (2 * pixels)


def smooth(images: Tensor) -> Tensor:
    """Return a 3×3 mean, the centre weighs 5; the border stays (ImageFilter.SMOOTH).

    A sum of whole numbers over 13 is at least 1/26 from where rounding changes, so float32 is exact
    enough.
    """
    if images.shape[3] < 3:
        return images
    made = images.float()
    inner = made[:, :, 1:-1, 1:-1]
    around = torch.nn.functional.avg_pool2d(made, 3, stride=1) * (9 / 13)
    inner.copy_((inner * (4 / 13) + around + 0.5).floor_())
    return made
