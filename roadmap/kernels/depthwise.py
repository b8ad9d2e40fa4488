"""A depthwise convolution in the fastest way known for its device and shape."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from roadmap.kernels import choice, device
from roadmap.kernels.operator import convolution
from roadmap.kernels.small_map import depthwise_by_matrix


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """Return the depthwise convolution of x (batch, channels, height, width).

    weight: (channels, 1, kernel, kernel); bias: (channels,). On the CPU a map smaller than the
    kernel is multiplied by a matrix. On a GPU our kernel runs if it was measured to be faster, and
    if the map is channels-last. Everything else is torch's convolution.
    """
    kernel = weight.shape[-1]
    if device.on_gpu(x):
        dtype = x.dtype
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
        chosen = choice.choose(x, kernel, stride, dtype)
        if chosen is not None and x.is_contiguous(memory_format=torch.channels_last):
            return convolution(x.to(dtype), weight, bias, stride, padding, chosen)
    elif x.device.type == "cpu" and max(x.shape[2:]) < kernel:
        return depthwise_by_matrix(x, weight, bias, stride, padding)
    return functional.conv2d(x, weight, bias, stride, padding, groups=x.shape[1])
