"""The cost of a timm model: it has no spec to walk, so it is run once and counted."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from experiments.tasks.backbone import Backbone
from roadmap.cost import total
from roadmap.head_layers import head_layers
from roadmap.heads import padded
from roadmap.tasks import Task


@torch.inference_mode()
def measured_cost(network: nn.Module, image_size: int) -> dict[str, int]:
    """Return MACs, parameters and activations for one RGB image of `image_size` pixels a side.

    Only weights of convolutions and linear layers count, as in `roadmap.cost`. The products of
    queries, keys and values in attention, which have no weights, are not counted.
    """
    parameter = next(network.parameters())
    image = torch.zeros(1, 3, image_size, image_size, device=parameter.device)
    macs, activations, _ = _counted(network, image)
    params = sum(parameter.numel() for parameter in network.parameters())
    return {"macs": macs, "params": params, "activations": activations}


@torch.inference_mode()
def measured_task_cost(network: nn.Module, task: Task, classes: int) -> dict[str, int]:
    """Return the same for a backbone with the head of a task, for an image of its `cost_size`.

    The head is counted as in `roadmap.heads`, on features of the sizes that the backbone gives.
    """
    backbone = next(part for part in network.modules() if isinstance(part, Backbone))
    image = torch.zeros(1, 3, *padded(task.cost_size, backbone.multiple))
    macs, activations, features = _counted(backbone, image)
    shapes = [tuple(feature.shape[1:]) for feature in features]
    head = total(head_layers(shapes, task, classes))
    params = sum(parameter.numel() for parameter in network.parameters())
    return {
        "macs": macs + head.macs,
        "params": params,
        "activations": activations + head.activations,
    }


def _counted(network: nn.Module, image: torch.Tensor) -> tuple[int, int, Any]:
    """Return MACs and activations of convolutions and linear layers, and the output."""
    macs = activations = 0

    def count(module: nn.Conv2d | nn.Linear, _inputs: object, output: torch.Tensor) -> None:
        nonlocal macs, activations
        macs += output.numel() * module.weight[0].numel()  # each output reads one row of weights
        activations += output.numel()

    weighted = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in weighted]
    was_training = network.training
    made = network.eval()(image)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return macs, activations, made
