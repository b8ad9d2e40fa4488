"""Random erasing and normalization of a whole batch: the last things that happen to images.

timm draws the box and the noise. Both are known before the images are, so the noise travels with
its places as two flat arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

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
            row = torch.arange(rows.start, rows.stop).view(-1, 1, 1) + index * size
            column = torch.arange(columns.start, columns.stop).view(-1, 1)
            places.append((((row * size) + column) * 3 + torch.arange(3)).int().flatten())
            noise.append(values.permute(1, 2, 0).flatten())
    if not noise:
        return {"noise": torch.empty(0), "noise_at": torch.empty(0, dtype=torch.int32)}
    return {"noise": torch.cat(noise), "noise_at": torch.cat(places)}


def erase(batch: Tensor, noise: Tensor, noise_at: Tensor) -> Tensor:
    """Write noise into a normalized batch (batch, 3, size, size), channels last in memory."""
    batch.permute(0, 2, 3, 1).view(-1).index_copy_(0, noise_at.long(), noise)
    return batch


def normalize(images: Tensor, statistics: Statistics) -> Tensor:
    """Scale uint8 images to mean 0 and standard deviation 1 by channel, as timm's Normalize.

    The result is channels last in memory.
    """
    mean = constant(statistics.mean, torch.float32, images.device).view(3, 1, 1)
    std = constant(statistics.std, torch.float32, images.device).view(3, 1, 1)
    values = images.to(torch.float32, memory_format=torch.channels_last)
    return values.div_(255).sub_(mean).div_(std)
