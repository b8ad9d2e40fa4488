"""The cost of a detector or segmenter that has been built."""

from __future__ import annotations

from torch import nn

from experiments.tasks.backbone import Backbone
from experiments.tasks.measured_cost import measured_cost
from roadmap.cost import total
from roadmap.head_layers import head_layers
from roadmap.heads import padded, task_cost
from roadmap.spec import Network, Spec


def built_cost(built: nn.Module, spec: Spec, classes: int) -> dict[str, int]:
    """Return MACs, parameters and activations for one image of the task's `cost_size`.

    `built` is what `detector` or `segmenter` made of the spec's network, for so many `classes`. A
    spec is walked. One of timm's models is run once as a backbone, and its head is walked.
    """
    task = spec.recipe.task
    assert task is not None
    if isinstance(spec.network, Network):
        walked = task_cost(spec, classes=classes)
        return {"macs": walked.macs, "params": walked.params, "activations": walked.activations}
    backbone = next(part for part in built.modules() if isinstance(part, Backbone))
    size = padded(task.cost_size, backbone.multiple)
    stages = zip(backbone.channels, backbone.reductions, strict=True)
    shapes = [(channels, size[0] // by, size[1] // by) for channels, by in stages]
    head = total(head_layers(shapes, task, classes))
    own = measured_cost(backbone, size)
    return {
        "macs": own["macs"] + head.macs,
        "params": own["params"] + head.params,
        "activations": own["activations"] + head.activations,
    }
