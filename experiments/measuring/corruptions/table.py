"""The table of corruptions with the published numbers, and images that go through one of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor

from experiments.loading.views import Evaluated
from experiments.measuring.corruptions import blur, digital, noise, weather

SEVERITIES = 5
SMALL = 84  # pixels a side, up to which the numbers of CIFAR-10-C hold: between 32 and 224


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """A function of (pixels, numbers, generator), with its numbers at each severity.

    `large` are those of ImageNet-C, `small` those of CIFAR-10-C.
    """

    change: Callable[..., numpy.ndarray]
    large: tuple[Any, ...]
    small: tuple[Any, ...]

    def apply(self, pixels: numpy.ndarray, severity: int, key: tuple[int, ...]) -> numpy.ndarray:
        """Return an image uint8 (side, side, 3), changed; `key` decides what is drawn."""
        numbers = self.small if pixels.shape[0] <= SMALL else self.large
        draw = numpy.random.default_rng(key)
        made = self.change(pixels / 255, numbers[severity - 1], draw)
        return (made.clip(0, 1) * 255 + 1e-6).astype(numpy.uint8)  # n / 255 × 255 gives n again


def _steps(*ends: tuple[float, float]) -> tuple[tuple[float, ...], ...]:
    """Return the factors of zoom blur for each severity: from 1 to below an end, by a step."""
    return tuple(tuple(numpy.arange(1, end, step).tolist()) for end, step in ends)


CORRUPTIONS = {
    "gaussian_noise": Corruption(
        change=noise.gaussian_noise,
        large=(0.08, 0.12, 0.18, 0.26, 0.38),
        small=(0.04, 0.06, 0.08, 0.09, 0.10),
    ),
    "shot_noise": Corruption(
        change=noise.shot_noise,
        large=(60, 25, 12, 5, 3),
        small=(500, 250, 100, 75, 50),
    ),
    "impulse_noise": Corruption(
        change=noise.impulse_noise,
        large=(0.03, 0.06, 0.09, 0.17, 0.27),
        small=(0.01, 0.02, 0.03, 0.05, 0.07),
    ),
    "defocus_blur": Corruption(
        change=blur.defocus_blur,
        large=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        small=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    ),
    "glass_blur": Corruption(
        change=blur.glass_blur,
        large=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        small=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    ),
    "motion_blur": Corruption(
        change=blur.motion_blur,
        large=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        small=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    ),
    "zoom_blur": Corruption(
        change=blur.zoom_blur,
        large=_steps((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        small=_steps((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    ),
    "snow": Corruption(
        change=weather.snow,
        large=(
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        small=(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
    ),
    "frost": Corruption(
        change=weather.frost,
        large=((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
        small=((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    ),
    "fog": Corruption(
        change=weather.fog,
        large=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        small=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    ),
    "brightness": Corruption(
        change=weather.brightness,
        large=(0.1, 0.2, 0.3, 0.4, 0.5),
        small=(0.05, 0.1, 0.15, 0.2, 0.3),
    ),
    "contrast": Corruption(
        change=digital.contrast,
        large=(0.4, 0.3, 0.2, 0.1, 0.05),
        small=(0.75, 0.5, 0.4, 0.3, 0.15),
    ),
    "elastic_transform": Corruption(
        change=digital.elastic_transform,  # ImageNet-C takes shares of 244, where images have 224
        large=tuple(
            tuple(share * 244 / 224 for share in shares)
            for shares in (
                (2, 0.7, 0.1),
                (2, 0.08, 0.2),
                (0.05, 0.01, 0.02),
                (0.07, 0.01, 0.02),
                (0.12, 0.01, 0.02),
            )
        ),
        small=(
            (0, 0, 0.08),
            (0.05, 0.2, 0.07),
            (0.08, 0.06, 0.06),
            (0.1, 0.04, 0.05),
            (0.1, 0.03, 0.03),
        ),
    ),
    "pixelate": Corruption(
        change=digital.pixelate,
        large=(0.6, 0.5, 0.4, 0.3, 0.25),
        small=(0.95, 0.9, 0.85, 0.75, 0.65),
    ),
    "jpeg_compression": Corruption(
        change=digital.jpeg_compression,
        large=(25, 18, 15, 10, 7),
        small=(80, 65, 58, 50, 40),
    ),
}


class Corrupted(Evaluated):
    """The images of `views` after one corruption, at the size that the network sees.

    What is drawn depends on the corruption, the severity and the index of the image alone.
    """

    def __init__(self, views: Evaluated, corruption: Corruption, name: str, severity: int) -> None:
        self.views, self.corruption, self.severity = views, corruption, severity
        self.split, self.statistics, self.device = views.split, views.statistics, None
        self.kept = None
        self.key = zlib.crc32(name.encode())

    def _made(self, index: int) -> Tensor:
        kept = self.views.kept
        clean = self.views._made(index) if kept is None else kept[index].cpu()
        key = (self.key, self.severity, index)
        return torch.from_numpy(self.corruption.apply(clean.numpy(), self.severity, key))
