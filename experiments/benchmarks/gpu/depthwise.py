"""Depthwise convolutions by shape: cuDNN, our kernels, and the time to move the bytes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import starmap

import torch
from torch import Tensor

from experiments.benchmarks.gpu.limits import copy_rate
from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import Measurement, ratio, seconds_each

DIRECTIONS = ("forward", "input gradient", "weight gradient")


class Shape:
    """A depthwise convolution of the plan's batch: its tensors, and both ways to compute it."""

    def __init__(self, plan: Plan, channels: int, side: int, kernel: int, stride: int) -> None:
        dtype = torch.float32 if plan.dry else torch.bfloat16
        self.kernel, self.stride, self.padding = kernel, stride, kernel // 2
        out = (side + 2 * self.padding - kernel) // stride + 1
        self.x = _map(plan, channels, side, dtype)
        self.gradient = _map(plan, channels, out, dtype)
        self.weight = torch.randn(channels, 1, kernel, kernel, device=plan.device, dtype=dtype)
        self.name = f"{channels}×{side}², {kernel}×{kernel}/{stride}"

    @property
    def bytes(self) -> int:
        """Bytes of the two maps, which every direction moves once each."""
        return self.x.nbytes + self.gradient.nbytes

    def by_torch(self) -> list[Callable[[], object]]:
        """Return torch's forward pass and gradients, which are cuDNN's on a GPU."""
        groups = self.x.shape[1]
        how = ([self.stride] * 2, [self.padding] * 2, [1, 1])
        forward = partial(
            torch.nn.functional.conv2d, self.x, self.weight, None, *how, groups=groups
        )
        backward = partial(
            torch.ops.aten.convolution_backward,
            self.gradient, self.x, self.weight, None, *how, False, [0, 0], groups,
        )  # fmt: skip
        masks = ([True, False, False], [False, True, False])
        return [forward, *(partial(backward, mask) for mask in masks)]

    def by_kernels(self) -> list[list[Callable[[], object]]]:
        """Return our forward pass and gradients, each with every tile that is tried."""
        from roadmap.kernels import launch
        from roadmap.kernels.tiles import CONVOLVE, correlate_tiles

        how = (self.stride, self.padding)
        size = (self.x.shape[2], self.x.shape[3])
        return [
            [partial(launch.forward, self.x, self.weight, None, *how, tile) for tile in CONVOLVE],
            [
                partial(launch.input_gradient, self.gradient, self.weight, size, *how, tile)
                for tile in CONVOLVE
            ],
            [
                partial(launch.weight_gradient, self.gradient, self.x, self.kernel, *how, tile)
                for tile in correlate_tiles(self.kernel)
            ],
        ]


def depthwise(plan: Plan) -> Iterator[Measurement]:
    """Microseconds by shape and direction, and cuDNN's over ours."""
    torch.backends.cudnn.benchmark = True
    floor = copy_rate(plan.device, 1 << (20 if plan.dry else 30))
    yield Measurement(name="copy", unit="TB/s", trials=(floor / 1e12,))
    ours_too = not plan.dry and find_spec("triton") is not None
    if not ours_too:
        yield Measurement(name="our kernels: skipped, they need a GPU", unit="", trials=(0.0,))
    for shape in starmap(partial(Shape, plan), plan.shapes):
        microseconds = 1e6 * shape.bytes / floor
        yield Measurement(name=f"{shape.name}: bytes alone", unit="µs", trials=(microseconds,))
        kernels = shape.by_kernels() if ours_too else [[], [], []]
        for direction, torchs, tried in zip(DIRECTIONS, shape.by_torch(), kernels, strict=True):
            name = f"{shape.name} {direction}"
            theirs = _trials(torchs, plan)
            yield Measurement(name=f"{name}: torch", unit="µs", trials=theirs)
            if tried:
                ours = min((_trials(work, plan) for work in tried), key=min)
                yield Measurement(name=f"{name}: ours", unit="µs", trials=ours)
                yield ratio(f"{name}: torch / ours", theirs, ours)


def _trials(work: Callable[[], object], plan: Plan) -> tuple[float, ...]:
    seconds_each(work, 3, plan.device)
    steps = 2 if plan.dry else 20
    return tuple(1e6 * seconds_each(work, steps, plan.device) for _ in range(3))


def _map(plan: Plan, channels: int, side: int, dtype: torch.dtype) -> Tensor:
    made = torch.randn(plan.batch, channels, side, side, device=plan.device, dtype=dtype)
    return made.contiguous(memory_format=torch.channels_last)
