"""Time and check one direction of one convolution on a GPU: ours by tile, and cuDNN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional

from roadmap.kernels import launch
from roadmap.kernels.cases import Case
from roadmap.kernels.tiles import Tile

# Relative error (norms) against float32: rounding the output to bfloat16 alone makes about 3e-3.
TOLERANCE = {torch.bfloat16: 6e-3, torch.float32: 1e-4}


@dataclass
class Workload:
    """The tensors of a case, and its three directions by each method."""

    case: Case
    device: str = "cuda"
    x: Tensor = field(init=False)
    weight: Tensor = field(init=False)
    bias: Tensor = field(init=False)
    gradient: Tensor = field(init=False)

    def __post_init__(self) -> None:
        case, last = self.case, torch.channels_last
        generator = torch.Generator(self.device).manual_seed(0)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=self.device)

        shape = (case.batch, case.channels)
        self.x = draw(*shape, case.side, case.side).to(case.dtype, memory_format=last)
        self.gradient = draw(*shape, case.out_side, case.out_side).to(
            case.dtype, memory_format=last
        )
        self.weight = draw(case.channels, 1, case.kernel, case.kernel)
        self.bias = draw(case.channels)

    def ours(self, direction: str, tile: Tile) -> Tensor:
        """Compute one direction by our kernel; a weight gradient is (kernel² + 1, channels)."""
        case = self.case
        if direction == "forward":
            return launch.forward(self.x, self.weight, self.bias, case.stride, case.padding, tile)
        if direction == "input":
            size = (case.side, case.side)
            return launch.input_gradient(
                self.gradient, self.weight, size, case.stride, case.padding, tile
            )
        return launch.weight_gradient(
            self.gradient, self.x, case.kernel, case.stride, case.padding, tile
        )

    def torchs(self, direction: str) -> list[Tensor]:
        """Compute one direction by torch (cuDNN): one tensor, or gradients of weight and bias."""
        return _by_torch(self.case, direction, self.x, *self.parameters, self.gradient)

    @cached_property
    def parameters(self) -> tuple[Tensor, Tensor]:
        """Weight and bias in the type of the case, as autocast makes them."""
        return self.weight.to(self.case.dtype), self.bias.to(self.case.dtype)

    def error(self, direction: str, tile: Tile) -> float:
        """Return the relative error of ours against float32, over at most 16 images."""
        few = Workload(_with_batch(self.case, min(16, self.case.batch)), self.device)
        ours = few.ours(direction, tile).float()
        with torch.backends.cudnn.flags(enabled=False):  # torch's own kernels, and no TF32
            exact = _by_torch(
                few.case, direction, few.x.float(), few.weight, few.bias, few.gradient.float()
            )
        if direction == "weight":
            exact = [torch.cat([exact[0].flatten(1).t(), exact[1][None]])]
        return ((ours - exact[0]).norm() / exact[0].norm()).item()


def _with_batch(case: Case, batch: int) -> Case:
    return Case(case.kernel, case.stride, case.channels, case.side, batch, case.dtype)


def _by_torch(
    case: Case, direction: str, x: Tensor, weight: Tensor, bias: Tensor, gradient: Tensor
) -> list[Tensor]:
    stride, padding = case.stride, case.padding
    if direction == "forward":
        return [functional.conv2d(x, weight, bias, stride, padding, groups=case.channels)]
    wanted = [direction == "input", direction == "weight", direction == "weight"]
    gradients = torch.ops.aten.convolution_backward(
        gradient, x, weight, [case.channels], [stride, stride], [padding, padding], [1, 1],
        False, [0, 0], case.channels, wanted,
    )  # fmt: skip
    return [gradient for gradient in gradients if gradient is not None]


def milliseconds(compute: Callable[[], object], calls: int = 4, trials: int = 5) -> float:
    """Return the median time of a call on the GPU, in ms; what the CPU needs to start it is not in.

    The calls are captured in a CUDA graph, which is replayed between two events.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            compute()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            compute()
    graph.replay()
    times = []
    for _ in range(trials):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / calls)
    return median(times)
