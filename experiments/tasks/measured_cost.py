"""The cost of a timm model: it has no spec to walk, so it is run once and counted."""

from __future__ import annotations

import torch
from torch import nn

from roadmap.plan import Size


@torch.inference_mode()
def measured_cost(network: nn.Module, image_size: Size) -> dict[str, int]:
    """Return MACs, parameters and activations for one RGB image of `image_size` pixels.

    Only weights of convolutions and linear layers count, as in `roadmap.cost`. The products of
    queries, keys and values in attention, which have no weights, are not counted.
    """
    macs = activations = 0

    def count(module: nn.Conv2d | nn.Linear, _inputs: object, output: torch.Tensor) -> None:
        nonlocal macs, activations
        macs += output.numel() * module.weight[0].numel()  # each output reads one row of weights
        activations += output.numel()

    weighted = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in weighted]
    parameter = next(network.parameters())
    was_training = network.training
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    network.eval()(torch.zeros(1, 3, height, width, device=parameter.device))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    params = sum(parameter.numel() for parameter in network.parameters())
    return {"macs": macs, "params": params, "activations": activations}
