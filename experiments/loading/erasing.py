"""Random erasing and normalization of a whole batch: the last things that happen to images.

timm draws the box and the noise. Both are known before the images are, so the noise travels with
its places as two flat arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import torch
from torch import Tensor

from experiments.data.splits import Statistics
from experiments.loading.augmentation import Drawn
from experiments.loading.pixels import constant


def erasing_arrays(drawn: Sequence[Drawn], size: int) -> dict[str, Tensor]:
    """Return `noise` (values,) and `noise_at`, its places in a batch (batch, size, size, 3)."""
    noise, places = [], []
    for index, image in enumerate(drawn):
        for (_, rows, columns), values in image.erased:
            row = numpy.arange(rows.start, rows.stop, dtype=numpy.int32) + index * size
            column = numpy.arange(3 * columns.start, 3 * columns.stop, dtype=numpy.int32)
            places.append((row[:, None] * (3 * size) + column).ravel())
            noise.append(values.numpy().transpose(1, 2, 0).ravel())
    empty = numpy.empty(0, dtype=numpy.float32)
    return {
        "noise": torch.from_numpy(numpy.concatenate([empty, *noise])),
        "noise_at": torch.from_numpy(numpy.concatenate([empty.astype(numpy.int32), *places])),
    }


def erase(batch: Tensor, noise: Tensor, noise_at: Tensor) -> Tensor:
    """Write noise into a normalized batch (batch, 3, size, size), channels last in memory."""
    batch.permute(0, 2, 3, 1).view(-1).index_copy_(0, noise_at.long(), noise)
    return batch


def erase_drawn(batch: Tensor, drawn: Sequence[Drawn]) -> Tensor:
    """Write what was drawn into a normalized batch in the host's memory, box by box."""
    for image, image_drawn in zip(batch, drawn, strict=True):
        for box, noise in image_drawn.erased:
            image[box] = noise
    return batch


def normalize(images: Tensor, statistics: Statistics) -> Tensor:
    """Scale uint8 images to mean 0 and standard deviation 1 by channel, as timm's Normalize.

    The result is channels last in memory. Each divisor is a tensor: CUDA multiplies by the rounded
    reciprocal of a number, so half of all values would differ from a CPU's in the last bit.
    """
    full = constant((255.0,), torch.float32, images.device)
    mean = constant(statistics.mean, torch.float32, images.device).view(3, 1, 1)
    std = constant(statistics.std, torch.float32, images.device).view(3, 1, 1)
    values = images.to(torch.float32, memory_format=torch.channels_last)
    return values.div_(full).sub_(mean).div_(std)
