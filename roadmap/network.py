"""From a plan to torch: the one place that builds networks.

Dimensions: tensors are (batch, channels, height, width), as images in timm. Channels-last memory
is the fast one here: then LayerNorm over channels and 1×1 convolutions read contiguous memory.
"""

from __future__ import annotations

from collections import OrderedDict

import timm
import torch
from timm.layers import DropPath, trunc_normal_
from torch import Tensor, nn

from roadmap.errors import Problem
from roadmap.layers import DepthwiseConvolution, sequence
from roadmap.plan import PlannedBlock, PlannedStage, plan
from roadmap.spec import Network, Reference


class ResidualBlock(nn.Module):
    """activation(drop_path(branch(x)) + shortcut(x)), as its plan says."""

    def __init__(self, block: PlannedBlock) -> None:
        super().__init__()
        self.branch = sequence(block.branch)
        self.shortcut = sequence(block.shortcut)
        self.drop_path = DropPath(block.drop_path) if block.drop_path else nn.Identity()
        self.activation = sequence(block.activation)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.activation(self.drop_path(self.branch(x)) + self.shortcut(x))


class RoadmapNetwork(nn.Module):
    """The network of a spec, with the interface of a timm model.

    `forward(images)` takes (batch, 3, height, width) and returns logits (batch, classes). Sizes
    other than the plan's work too: nothing in a network depends on the image size.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        planned = plan(network)
        self.spec = network
        self.num_classes = network.classes
        self.stem = sequence(planned.stem)
        self.stages = nn.ModuleList(_stage(stage) for stage in planned.stages)
        self.head = sequence(planned.head)
        self.num_features = planned.head[-1].inputs[0]
        self.feature_info = _feature_info(network)
        self.initialize()

    def forward_features(self, x: Tensor) -> Tensor:
        """The last stage's features, (batch, num_features, height / 32, width / 32)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (batch, classes) from features; with `pre_logits` (batch, num_features)."""
        return self.head[:-1](x) if pre_logits else self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes) from images (batch, 3, height, width)."""
        return self.forward_head(self.forward_features(x))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        *,
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """The features of the stages with these indices (all; the last n for an int n).

        Returns the list, or with the last stage's features in front of it, as timm's models do.
        """
        last = len(self.stages)
        wanted = list(range(last)) if indices is None else indices
        wanted = list(range(last - wanted, last)) if isinstance(wanted, int) else wanted
        if not all(-last <= index < last for index in wanted):
            raise Problem(f"stages {wanted} do not exist; valid: {-last} to {last - 1}")
        features, x = [], self.stem(x)
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        chosen = [features[index] for index in wanted]
        return chosen if intermediates_only else (x, chosen)

    def get_classifier(self) -> nn.Module:
        """The last, linear layer."""
        return self.head.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a new linear layer for `num_classes` classes, or none for 0 (features come out)."""
        if global_pool not in (None, "avg"):
            raise Problem(f"unknown global_pool {global_pool!r}; valid: 'avg'")
        self.num_classes = num_classes
        if num_classes == 0:
            self.head.classifier = nn.Identity()
        else:
            self.head.classifier = nn.Linear(self.num_features, num_classes)
            self._initialize(self.head.classifier)

    @torch.no_grad()
    def initialize(self) -> None:
        """Draw the weights anew from torch's global generator, by the spec's rule.

        `kaiming_normal`: He's for convolutions (fan-out as torch counts it, not divided by groups),
        torch's default for the classifier, as for ResNet and ResNeXt. `truncated_normal`: standard
        deviation 0.02 for convolutions and linear layers, biases 0, as in the released ConvNeXt.
        Norms start as the identity in both.
        """
        for module in self.modules():
            self._initialize(module)

    def _initialize(self, module: nn.Module) -> None:
        truncated = self.spec.initialization == "truncated_normal"
        if truncated and isinstance(module, nn.Conv2d | nn.Linear):
            trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def build(network: Network | Reference, image_size: int = 224) -> nn.Module:
    """The torch module of a network spec, freshly initialized from torch's global generator.

    A Reference gives timm's model of that name; `image_size` matters only to those that fix theirs.
    Its depthwise convolutions become ours, with the same weights, names and results up to rounding.
    """
    if isinstance(network, Network):
        return RoadmapNetwork(network)
    check_reference(network)
    config = timm.get_pretrained_cfg(network.timm)
    options = {"img_size": image_size} if config and config.fixed_input_size else {}
    options["num_classes"] = network.classes
    try:
        found = timm.create_model(network.timm, drop_path_rate=network.drop_path, **options)
    except TypeError:  # a few of timm's models have no stochastic depth
        found = timm.create_model(network.timm, **options)
    for module in filter(DepthwiseConvolution.can_be, found.modules()):
        module.__class__ = DepthwiseConvolution  # it has no attributes of its own
    return found


def check_reference(network: Reference) -> None:
    """Raise Problem if timm has no model of this name, with some of those it has."""
    if not timm.is_model(network.timm):
        near = ", ".join(timm.list_models(f"*{network.timm.split('_')[0]}*")[:5])
        raise Problem(f"timm has no model {network.timm!r}" + (f"; near: {near}" if near else ""))


def _stage(stage: PlannedStage) -> nn.Sequential:
    parts = OrderedDict(blocks=nn.Sequential(*(ResidualBlock(block) for block in stage.blocks)))
    if stage.downsampling:
        parts["downsampling"] = sequence(stage.downsampling)
        parts.move_to_end("downsampling", last=False)
    return nn.Sequential(parts)


def _feature_info(network: Network) -> list[dict[str, object]]:
    """Per stage: channels, reduction (input pixels per position) and module name, as in timm."""
    found, reduction = [], network.stem.stride * (2 if network.stem.max_pool else 1)
    for index, stage in enumerate(plan(network).stages):
        reduction *= 2 if index else 1
        channels = list(stage.layers())[-1].outputs[0]
        found.append({"num_chs": channels, "reduction": reduction, "module": f"stages.{index}"})
    return found
