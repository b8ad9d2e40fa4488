"""The model of timm that a finished run is, with the arguments that make its shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import Tensor

from experiments.deploy.finished import Finished
from roadmap.errors import Problem
from roadmap.network import RoadmapNetwork
from roadmap.spec import Reference, Spec
from roadmap.timm_names import timm_arguments
from roadmap.timm_weights import to_timm


@dataclass(frozen=True, kw_only=True)
class TimmModel:
    """`timm.create_model(name, **arguments)`, and what timm says about it."""

    name: str
    arguments: dict[str, Any]
    fixed_size: bool
    first_convolution: str | None
    classifier: str | None


def timm_model(spec: Spec) -> TimmModel:
    """Return timm's model of the same network. Raises Problem if timm has none."""
    network = spec.network
    arguments: dict[str, Any] = {}
    if isinstance(network, Reference):
        name = network.timm.partition(".")[0]
        config = timm.get_pretrained_cfg(name)
        if config and config.fixed_input_size:
            arguments = {"img_size": spec.recipe.image_size}
    else:
        name, arguments = timm_arguments(network)
    with torch.device("meta"):
        model: Any = timm.create_model(name, num_classes=network.classes, **arguments)
    about = model.pretrained_cfg
    return TimmModel(
        name=name,
        arguments=arguments,
        fixed_size=bool(about.get("fixed_input_size")),
        first_convolution=about.get("first_conv"),
        classifier=about.get("classifier"),
    )


def timm_weights(run: Finished, model: TimmModel) -> dict[str, Tensor]:
    """Return weights under timm's names. Raises Problem if timm's model has other shapes."""
    weights = run.weights
    if isinstance(run.network, RoadmapNetwork):
        weights = to_timm(run.network, conv_mlp=False)
    classes = run.spec.network.classes
    with torch.device("meta"):
        theirs = timm.create_model(model.name, num_classes=classes, **model.arguments).state_dict()
    for name, tensor in theirs.items():
        if name not in weights or weights[name].shape != tensor.shape:
            has = [*weights[name].shape] if name in weights else "none"
            raise Problem(
                f"timm's {model.name} has {name} of the shape {[*tensor.shape]}, this network: "
                f"{has}; use --format safetensors, onnx or torchscript"
            )
    return weights
