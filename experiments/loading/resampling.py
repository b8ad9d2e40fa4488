"""Crop and resize a whole batch on a device with Pillow's own fixed-point weights.

Pillow computes each weight in float64, rounds it to a multiple of 2^-22 and sums products of whole
numbers. Such sums are exact in float64 in any order, so a matrix product gives Pillow's result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

ONE = 1 << 22  # the weight 1 in Pillow's fixed-point arithmetic


def bilinear(distance: numpy.ndarray) -> numpy.ndarray:
    """Return the triangle filter."""
    return numpy.maximum(1 - numpy.abs(distance), 0)


def bicubic(distance: numpy.ndarray) -> numpy.ndarray:
    """Return the cubic filter with a = −0.5 (Keys, 1981)."""
    far = numpy.abs(distance)
    near = (1.5 * far - 2.5) * far * far + 1
    tail = ((-0.5 * far + 2.5) * far - 4) * far + 2
    return numpy.where(far < 1, near, numpy.where(far < 2, tail, 0))


FILTERS: dict[str, tuple[Callable[[numpy.ndarray], numpy.ndarray], int]] = {
    "bilinear": (bilinear, 1),  # with its reach in pixels to either side
    "bicubic": (bicubic, 2),
}


def weights(length: int, size: int, kind: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return what resizes `length` pixels to `size`: first pixels (size,), weights (size, taps).

    The weights are whole numbers, in 2^22ths. To make an image smaller, the filter widens with the
    scale, which prevents aliasing.
    """
    weigh, reach = FILTERS[kind]
    scale = length / size
    wide = max(scale, 1.0)
    centre = (numpy.arange(size)[:, None] + 0.5) * scale
    first = numpy.floor(centre - reach * wide + 0.5).clip(min=0)
    last = numpy.floor(centre + reach * wide + 0.5).clip(max=length)
    pixel = first + numpy.arange(2 * math.ceil(reach * wide) + 1)
    raw = weigh((pixel - centre + 0.5) * (1 / wide)) * (pixel < last)
    total = numpy.cumsum(raw, axis=1)[:, -1:]  # one after the other, as Pillow adds them
    shares = raw / total * ONE
    return first[:, 0].astype(int), numpy.trunc(shares + numpy.copysign(0.5, shares))


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """The weights that resize any number of pixels, up to a limit, to `size`, on one device.

    Row 2 × length is for that length, the next row for the same with the result mirrored. Of no
    pixels, zeros are made. A float32 holds these whole numbers exactly.
    """

    size: int
    first: Tensor  # (rows, size), int64
    weights: Tensor  # (rows, size, taps), float32
    taps: Tensor  # (taps,), int64: 0, 1, …

    @classmethod
    def up_to(cls, longest: int, size: int, kind: str, device: torch.device) -> Resampling:
        """Make the weights for lengths of 1 to `longest` pixels."""
        tables = [weights(length, size, kind) for length in range(1, longest + 1)]
        taps = max(shares.shape[1] for _, shares in tables)
        first = numpy.zeros((2 * longest + 2, size), dtype=numpy.int64)
        shares = numpy.zeros((2 * longest + 2, size, taps), dtype=numpy.float32)
        for length, (start, values) in enumerate(tables, 1):
            first[2 * length], first[2 * length + 1] = start, start[::-1]
            shares[2 * length, :, : values.shape[1]] = values
            shares[2 * length + 1, :, : values.shape[1]] = values[::-1]
        return cls(
            size=size,
            first=torch.from_numpy(first).to(device),
            weights=torch.from_numpy(shares).to(device),
            taps=torch.arange(taps, device=device),
        )

    @staticmethod
    def bytes_up_to(longest: int, size: int, kind: str) -> int:
        """Return the bytes of the weights for lengths of 1 to `longest` pixels."""
        taps = weights(longest, size, kind)[1].shape[1]
        return (2 * longest + 2) * size * (8 + 4 * taps)

    def matrices(self, rows: Tensor, length: int) -> Tensor:
        """Return for each row (batch,) its matrix (batch, size, length), float64."""
        shares = self.weights.index_select(0, rows).double()
        pixel = self.first.index_select(0, rows).unsqueeze(2) + self.taps
        empty = shares.new_zeros(len(rows), self.size, length)
        return empty.scatter_add_(2, pixel.clamp_(max=length - 1), shares)  # past the end: 0

    def resize(self, crops: Tensor, across: Tensor, down: Tensor) -> Tensor:
        """Return uint8 (batch, 3, size, size) of uint8 crops (batch, height, width, 3).

        `across` and `down` (batch,) are the rows for each crop's width and height. Pixels beyond a
        crop's own size do not count. Widths are resized first, and rounded.
        """
        batch, height, width, _ = crops.shape
        lines = crops.permute(0, 1, 3, 2).to(torch.float64, memory_format=torch.contiguous_format)
        lines = lines.view(batch, height * 3, width)
        wide = _rounded(lines.bmm(self.matrices(across, width).mT))
        wide = wide.view(batch, height, 3 * self.size)
        made = _rounded(self.matrices(down, height).bmm(wide))
        made = made.view(batch, self.size, 3, self.size).permute(0, 2, 1, 3)
        return made.to(torch.uint8, memory_format=torch.contiguous_format)


def _rounded(sums: Tensor) -> Tensor:
    return sums.div_(ONE).add_(0.5).floor_().clamp_(0, 255)
