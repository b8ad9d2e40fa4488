"""1×1 convolutions by shape: cuDNN against a product of matrices, with and without a bias.

`roadmap.kernels.pointwise` uses the product if there is a bias; this part checks that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import Measurement, in_turn, ratio, seconds_each

# Channels in and out, and the side of the map: the first and third stage of rows 00, 08 and 13.
SHAPES = ((64, 256, 56), (96, 384, 56), (384, 1536, 14), (1536, 384, 14))
DRY_SHAPES = ((8, 32, 4),)


def pointwise(plan: Plan) -> Iterator[Measurement]:
    """Time of forward and backward of cuDNN's convolution over that of the product."""
    kind = torch.float32 if plan.dry else torch.bfloat16
    for inputs, outputs, side in DRY_SHAPES if plan.dry else SHAPES:
        x = torch.randn(plan.batch, inputs, side, side, device=plan.device, dtype=kind)
        x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
        weight = torch.randn(outputs, inputs, 1, 1, device=plan.device, dtype=kind)
        weight.requires_grad_()
        bias = torch.zeros(outputs, device=plan.device, dtype=kind, requires_grad=True)
        for name, added in (("bias", bias), ("no bias", None)):
            calls = (partial(_trained, way, x, weight, added) for way in (_convolved, _product))
            convolved, product = in_turn(
                2 if plan.dry else 3,
                *(
                    partial(seconds_each, call, 2 if plan.dry else 10, plan.device)
                    for call in calls
                ),
            )
            aim = "used if > 1" if added is not None else "not used"
            what = f"1×1, {inputs} to {outputs}, {side}×{side}, {name}: cuDNN / product"
            yield ratio(what, convolved, product, aim)


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.conv2d(x, weight, bias)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)


def _trained(
    way: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
) -> None:
    y = way(x, weight, bias)
    wanted = [x, weight, *([bias] if bias is not None else [])]
    torch.autograd.grad(y, wanted, torch.ones_like(y))
