"""A depthwise convolution in the fastest way known for its device and shape."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from roadmap.kernels.small_map import depthwise_by_matrix


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """Return the depthwise convolution of x (batch, channels, height, width).

    weight: (channels, 1, kernel, kernel); bias: (channels,). On the CPU a map smaller than the
    kernel is multiplied by a matrix; everything else is torch's convolution.
    """
    if x.device.type == "cpu" and max(x.shape[2:]) < weight.shape[-1]:
        return depthwise_by_matrix(x, weight, bias, stride, padding)
    return functional.conv2d(x, weight, bias, stride, padding, groups=x.shape[1])
