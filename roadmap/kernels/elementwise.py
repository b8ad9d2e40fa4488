"""LayerNorm over channels, the sum of a residual block, and the average over positions.

Autocast computes LayerNorm in float32 and promotes products with float32 parameters, so that the
residual stream would leave bfloat16. On a GPU both keep the type of their input here; torch's
kernels accumulate in float32 inside.
"""

from __future__ import annotations

import torch
from timm.layers import drop_path
from torch import Tensor
from torch.nn import functional

from roadmap.kernels import device


def channel_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Return x (batch, channels, height, width), normalized over channels at each position.

    weight and bias: (channels,). On a GPU the result has the type of x.
    """
    last = x.permute(0, 2, 3, 1)  # batch, height, width, channels
    shape = weight.shape
    if not device.on_gpu(x):
        return functional.layer_norm(last, shape, weight, bias, eps).permute(0, 3, 1, 2)
    with torch.autocast(x.device.type, enabled=False):
        normed = functional.layer_norm(last, shape, weight.to(x.dtype), bias.to(x.dtype), eps)
    return normed.permute(0, 3, 1, 2)


def residual_sum(branch: Tensor, shortcut: Tensor, gamma: Tensor | None, drop: float) -> Tensor:
    """Return shortcut + drop_path(gamma · branch), each (batch, channels, height, width).

    gamma: (channels,), the layer scale, or None. drop: the probability that an image's branch is
    dropped, 0 outside training. On a GPU this is one pass over the maps.
    """
    factor = None if gamma is None else gamma.reshape(1, -1, 1, 1)
    kept = None
    if drop:
        ones = branch.new_ones((branch.shape[0], 1, 1, 1))
        kept = drop_path(ones, drop, training=True)  # (batch, 1, 1, 1): 0 or 1 / (1 - drop)
    if not device.on_gpu(branch):
        scaled = branch if factor is None else branch.mul(factor)
        return (scaled if kept is None else scaled * kept) + shortcut
    if factor is not None and kept is not None:
        factor = factor * kept
    factor = kept if factor is None else factor
    if factor is None:
        return branch + shortcut
    return torch.addcmul(shortcut, branch, factor.to(branch.dtype))


def average(x: Tensor) -> Tensor:
    """Return the mean over positions of x (batch, channels, height, width).

    The result is (batch, channels, 1, 1). On a GPU the gradient is channels-last; that of torch's
    pooling is not, and the last stage would copy it.
    """
    if not device.on_gpu(x):
        return functional.adaptive_avg_pool2d(x, 1)
    return x.permute(0, 2, 3, 1).mean((1, 2))[:, :, None, None]
