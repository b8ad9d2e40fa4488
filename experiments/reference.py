"""What a timm model costs: it has no spec to walk, so it is run once and counted."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@torch.inference_mode()
def measured_cost(network: nn.Module, image_size: int) -> dict[str, int]:
    """MACs, parameters and activations for one square RGB image of `image_size` pixels.

    MACs are half of what torch's counter finds, which for attention includes its two products.
    """
    activations = 0

    def count(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal activations
        activations += output.numel()

    weighted = [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    hooks = [each.register_forward_hook(count) for each in weighted]
    parameter = next(network.parameters())
    image = torch.zeros(1, 3, image_size, image_size, device=parameter.device)
    was_training = network.training
    with FlopCounterMode(display=False) as counter:
        network.eval()(image)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    params = sum(each.numel() for each in network.parameters())
    return {"macs": counter.get_total_flops() // 2, "params": params, "activations": activations}
