"""Torch modules of single layers."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from roadmap.errors import Problem
from roadmap.plan import Layer, Layers


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over channels at each position: (batch, channels, height, width) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = x.permute(0, 2, 3, 1)  # batch, height, width, channels
        x = functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class _InOrder(torch.autograd.Function):
    """A tensor and its gradient in contiguous memory: `bmm` copies others matrix by matrix."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.view_as(x) if x.is_contiguous() else x.contiguous()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient.contiguous()


class DepthwiseConvolution(nn.Conv2d):
    """A depthwise convolution that on the CPU takes maps smaller than its kernel as a matrix.

    The result is that of `nn.Conv2d` up to rounding. Where the kernel is larger than the map, the
    CPU's convolution spends its time on padding, above all backward; a matrix per channel, from
    every position to every other, is 2 to 8 times as fast there and slower elsewhere.
    """

    @staticmethod
    def can_be(module: nn.Module) -> bool:
        """Whether a module is a convolution that this one computes: each channel by itself."""
        return (
            type(module) is nn.Conv2d
            and module.groups == module.in_channels == module.out_channels
            and module.kernel_size[0] == module.kernel_size[1] > 1
            and module.stride[0] == module.stride[1]
            and module.padding in ((side, side) for side in range(module.kernel_size[0]))
            and module.dilation == (1, 1)
            and module.padding_mode == "zeros"
        )

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if x.device.type != "cpu" or max(x.shape[2:]) >= self.kernel_size[0]:
            return super().forward(x)
        batch, channels, height, width = x.shape
        matrix, size = self._matrix(height, width)
        flat = _InOrder.apply(x.reshape(batch, channels, -1).transpose(0, 1))
        out = _InOrder.apply(torch.bmm(flat, matrix))  # channels, batch, positions out
        out = out.transpose(0, 1).reshape(batch, channels, *size)
        out = out.contiguous(memory_format=torch.channels_last)
        return out if self.bias is None else out + self.bias[:, None, None]

    def _matrix(self, height: int, width: int) -> tuple[Tensor, tuple[int, int]]:
        """The weights as (channels, positions in, positions out), and the output's size."""
        kernel, stride, padding = self.kernel_size[0], self.stride[0], self.padding[0]
        taps, inside = [], []
        for side in (height, width):
            outputs = torch.arange((side + 2 * padding - kernel) // stride + 1)
            tap = torch.arange(side)[:, None] - outputs * stride + padding  # in, out
            inside.append((tap >= 0) & (tap < kernel))
            taps.append(tap.clamp(0, kernel - 1))
        rows, columns = taps
        spread = self.weight[:, 0][:, rows][
            :, :, :, columns
        ]  # channels, row in, out, column in, out
        spread = spread * (inside[0][:, :, None, None] & inside[1])
        matrix = spread.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return matrix, (rows.shape[1], columns.shape[1])


class LayerScale(nn.Module):
    """A learned factor per channel; (batch, channels, height, width) in and out."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return x.mul(self.gamma.reshape(1, -1, 1, 1))


def sequence(layers: Layers) -> nn.Sequential:
    """The modules of planned layers, one after another; none make the identity."""
    return nn.Sequential(OrderedDict((each.name.split(".")[-1], _module(each)) for each in layers))


def _module(layer: Layer) -> nn.Module:
    channels = layer.inputs[0]
    match layer.kind:
        case "convolution":
            depthwise = layer.groups == channels == layer.outputs[0] and layer.kernel > 1
            return (DepthwiseConvolution if depthwise else nn.Conv2d)(
                channels,
                layer.outputs[0],
                layer.kernel,
                stride=layer.stride,
                padding=layer.padding,
                groups=layer.groups,
                bias=layer.bias,
            )
        case "linear":
            return nn.Linear(channels, layer.outputs[0], bias=layer.bias)
        case "batch_norm":
            return nn.BatchNorm2d(channels)
        case "layer_norm":
            return ChannelNorm(channels)
        case "relu":
            return nn.ReLU(inplace=True)
        case "gelu":
            return nn.GELU()
        case "max_pool":
            return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding)
        case "average_pool":
            return nn.AdaptiveAvgPool2d(1)
        case "flatten":
            return nn.Flatten(1)
        case "layer_scale":
            return LayerScale(channels, layer.initial)
        case "operation":
            return _operation(layer)
    raise AssertionError(f"the plan has a layer of unknown kind {layer.kind!r}")


def _operation(layer: Layer) -> nn.Module:
    operation = layer.operation
    if operation.build is None:
        raise Problem(
            f"operation {operation.operation!r} comes from a steps file of yours: add --steps FILE"
        )
    return operation.build(layer.inputs[0], **operation.parameters)
