"""The depthwise convolution as a torch operator: fake shapes and gradients, so that it compiles.

Output, input gradient and weight gradient are each computed by our kernel where a tile is given,
otherwise by cuDNN. A tile is the numbers of a `Tile`; no numbers mean cuDNN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from roadmap.kernels.choice import Choice
from roadmap.kernels.tiles import Tile

LAST = torch.channels_last


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, choice: Choice
) -> Tensor:
    """Return the depthwise convolution of x (batch, channels, height, width), channels last.

    weight: (channels, 1, kernel, kernel); bias: (channels,). Both may have another type than x.
    """
    tiles = (list(tile or ()) for tile in choice[:3])
    return _convolution(x, weight, bias, stride, padding, *tiles)


@torch.library.custom_op("roadmap::depthwise", mutates_args=())
def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    padding: int,
    forward: Sequence[int],
    input: Sequence[int],
    weights: Sequence[int],
) -> Tensor:
    if forward:
        from roadmap.kernels import launch  # Triton may be missing where this is not used

        return launch.forward(x, weight, bias, stride, padding, Tile(*forward))
    same = None if bias is None else bias.to(x.dtype)
    y = functional.conv2d(x, weight.to(x.dtype), same, stride, padding, groups=x.shape[1])
    return y.contiguous(memory_format=LAST)


@_convolution.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    padding: int,
    forward: Sequence[int],
    input: Sequence[int],
    weights: Sequence[int],
) -> Tensor:
    size = [(side + 2 * padding - weight.shape[-1]) // stride + 1 for side in x.shape[2:]]
    return x.new_empty((*x.shape[:2], *size)).contiguous(memory_format=LAST)


@torch.library.custom_op("roadmap::depthwise_input_gradient", mutates_args=())
def input_gradient(
    gradient: Tensor, weight: Tensor, size: Sequence[int], stride: int, padding: int,
    tile: Sequence[int],
) -> Tensor:  # fmt: skip
    """Return the gradient (batch, channels, *size) of the input, channels last."""
    from roadmap.kernels import launch

    height, width = size
    return launch.input_gradient(gradient, weight, (height, width), stride, padding, Tile(*tile))


@input_gradient.register_fake
def _(
    gradient: Tensor, weight: Tensor, size: Sequence[int], stride: int, padding: int,
    tile: Sequence[int],
) -> Tensor:  # fmt: skip
    return gradient.new_empty((*gradient.shape[:2], *size)).contiguous(memory_format=LAST)


@torch.library.custom_op("roadmap::depthwise_weight_gradient", mutates_args=())
def weight_gradient(
    gradient: Tensor, x: Tensor, kernel: int, stride: int, padding: int, tile: Sequence[int]
) -> Tensor:
    """Return the float32 gradients of weights and bias: (kernel² + 1, channels), the bias last."""
    from roadmap.kernels import launch

    return launch.weight_gradient(gradient, x, kernel, stride, padding, Tile(*tile))


@weight_gradient.register_fake
def _(
    gradient: Tensor, x: Tensor, kernel: int, stride: int, padding: int, tile: Sequence[int]
) -> Tensor:
    return gradient.new_empty((kernel**2 + 1, x.shape[1]), dtype=torch.float32)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, bias, ctx.stride, ctx.padding, _, ctx.input, ctx.weights = inputs
    ctx.bias_dtype = None if bias is None else bias.dtype
    ctx.save_for_backward(x, weight)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    kernel, stride, padding = weight.shape[-1], ctx.stride, ctx.padding
    gradient = gradient.contiguous(memory_format=LAST)
    wanted = [*ctx.needs_input_grad[:2], ctx.needs_input_grad[2] and ctx.bias_dtype is not None]
    of_x = of_weight = of_bias = None
    if wanted[0] and ctx.input:
        of_x = input_gradient(gradient, weight, x.shape[2:], stride, padding, ctx.input)
        wanted[0] = False
    if any(wanted[1:]) and ctx.weights:
        sums = weight_gradient(gradient, x, kernel, stride, padding, ctx.weights)
        of_weight, of_bias = sums[:-1].t().reshape(weight.shape), sums[-1]
        wanted[1:] = [False, False]
    if any(wanted):
        gradients = torch.ops.aten.convolution_backward(
            gradient, x, weight.to(x.dtype), [x.shape[1]], [stride, stride], [padding, padding],
            [1, 1], False, [0, 0], x.shape[1], wanted,
        )  # fmt: skip
        of_x = gradients[0] if wanted[0] else of_x
        of_weight = gradients[1] if wanted[1] else of_weight
        of_bias = gradients[2] if wanted[2] else of_bias
    of_weight = None if of_weight is None else of_weight.to(weight.dtype)
    of_bias = None if of_bias is None or not ctx.bias_dtype else of_bias.to(ctx.bias_dtype)
    return of_x, of_weight, of_bias, None, None, None, None, None


_convolution.register_autograd(_backward, setup_context=_remember)
