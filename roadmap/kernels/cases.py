"""The convolutions that are measured: those of rows 04 to 13 at 224 pixels, and small ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch

STAGES = ((96, 56), (192, 28), (384, 14), (768, 7))  # channels and side of ConvNeXt-T's maps
SMALL = ((24, 12), (48, 6), (96, 3), (48, 8), (96, 4))  # of the roadmaps tiny and cifar


@dataclass(frozen=True)
class Case:
    """A depthwise convolution of (batch, channels, side, side), with padding kernel // 2."""

    kernel: int
    stride: int
    channels: int
    side: int
    batch: int = 128
    dtype: torch.dtype = torch.bfloat16

    def __str__(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        return (
            f"{self.kernel}×{self.kernel} stride {self.stride}, "
            f"{self.batch}×{self.channels}×{self.side}×{self.side} {kind}"
        )

    @property
    def padding(self) -> int:
        """The padding on each side."""
        return self.kernel // 2

    @property
    def out_side(self) -> int:
        """Height and width of the output."""
        return (self.side + 2 * self.padding - self.kernel) // self.stride + 1

    def floor_bytes(self) -> int:
        """Return the bytes of input and output, each moved once: no direction moves fewer."""
        positions = self.side**2 + self.out_side**2
        return self.batch * self.channels * positions * self.dtype.itemsize

    def variant(self) -> tuple[int, int, bool, torch.dtype]:
        """Return what needs kernels of its own; other cases share the compiled ones."""
        return self.kernel, self.stride, self.channels % 16 == 0, self.dtype


def cases() -> list[Case]:
    """Return all cases, the most important first: time may run out."""
    all_cases = [Case(7, 1, *map_) for map_ in STAGES]
    all_cases += [Case(3, 1, *map_) for map_ in STAGES]
    wide = ((384, 56), (768, 28), (1536, 14), (3072, 7))  # row 06
    row04 = ((64, 56), (128, 28), (256, 14), (512, 7))
    all_cases += [Case(3, 1, *map_) for map_ in (*wide, *row04)]
    all_cases += [Case(7, 2, *map_) for map_ in STAGES[:3]]
    all_cases += [Case(3, 2, *map_) for map_ in (*STAGES[:3], (192, 56), (384, 28), (768, 14))]
    all_cases += [Case(3, 2, *map_) for map_ in ((768, 56), (1536, 28), (3072, 14))]
    all_cases += [Case(kernel, 1, *map_) for kernel in (5, 9, 11) for map_ in STAGES]
    all_cases += [Case(7, 1, *map_, batch=256) for map_ in STAGES]
    all_cases += [Case(kernel, 1, *map_) for kernel in (3, 7) for map_ in SMALL]
    all_cases += [Case(kernel, 2, *map_) for kernel in (5, 9, 11) for map_ in STAGES[:3]]
    all_cases += [
        Case(kernel, 1, *map_, dtype=torch.float32) for kernel in (7, 3) for map_ in STAGES
    ]
    return all_cases
