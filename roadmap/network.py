"""Build torch networks from specs. No other module does.

Tensors are (batch, channels, height, width), as images in timm. Networks are fastest with
channels-last memory: LayerNorm over channels and 1×1 convolutions then read contiguous memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import timm
import torch
from timm.layers import DropPath, trunc_normal_
from timm.models import checkpoint_seq
from torch import Tensor, nn

from roadmap.errors import Problem, unknown
from roadmap.kernels.elementwise import residual_sum
from roadmap.layers import DepthwiseConvolution, LayerScale, sequence
from roadmap.plan import PlannedBlock, PlannedStage, plan, stride_of
from roadmap.spec import Network, Reference

torch.fx.wrap("residual_sum")


class ResidualBlock(nn.Module):
    """Compute activation(shortcut(x) + drop_path(branch(x))), with the layers of a plan.

    (batch, channels, height, width) in; channels, height and width of the block's output out.
    """

    def __init__(self, block: PlannedBlock) -> None:
        super().__init__()
        self.branch = sequence(block.branch)
        self.shortcut = sequence(block.shortcut)
        self.drop_path = DropPath(block.drop_path)
        self.activation = sequence(block.activation)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        branch, gamma = x, None
        for layer in self.branch:
            if isinstance(layer, LayerScale):
                gamma = layer.gamma  # the sum below multiplies by it: one pass fewer
            else:
                branch = layer(branch)
        drop = self.drop_path.drop_prob if self.drop_path.training else 0.0
        return self.activation(residual_sum(branch, self.shortcut(x), gamma, drop))


class RoadmapNetwork(nn.Module):
    """The network of a spec, with the interface of a timm model.

    `forward(images)` takes (batch, 3, height, width) and returns logits (batch, classes). Any image
    size works: no weight depends on it.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        planned = plan(network)
        self.spec = network
        self.num_classes = network.classes
        self.stem = sequence(planned.stem)
        self.stages = nn.ModuleList(_stage(stage) for stage in planned.stages)
        self.head = sequence(planned.head)
        self.num_features = planned.head[0].inputs[0]
        self.head_hidden_size = planned.head[-1].inputs[0]
        self.grad_checkpointing = False
        self.feature_info = _feature_info(network)
        self.initialize()

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's features, (batch, num_features, height / 32, width / 32)."""
        x = self.stem(x)
        for stage in self.stages:
            x = self._through(stage, x)
        return x

    def _through(self, stage: nn.Module, x: Tensor) -> Tensor:
        """Return a stage's output; with gradient checkpoints only its blocks' inputs are kept."""
        return checkpoint_seq(stage, x, flatten=True) if self.grad_checkpointing else stage(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return logits (batch, classes); with `pre_logits` (batch, head_hidden_size)."""
        return self.head[:-1](x) if pre_logits else self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (batch, classes) of images (batch, 3, height, width)."""
        return self.forward_head(self.forward_features(x))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return the features of stages, each (batch, channels, height, width).

        indices: which stages; None is all, an int n the last n. norm: no effect, as no norm follows
        the last stage before the pool. stop_early: end after the last stage asked for.
        output_fmt: NCHW, or NHWC for (batch, height, width, channels). Returns (features of the
        last stage computed, list), as timm's models do, or only the list. Raises Problem for a
        stage or a format that is not there.
        """
        if output_fmt not in ("NCHW", "NHWC"):
            raise unknown("output_fmt", output_fmt, ("NCHW", "NHWC"))
        wanted = self._stages(indices)
        stages = self.stages[: max(wanted, default=0) + 1] if stop_early else self.stages
        features, x = [], self.stem(x)
        for stage in stages:
            x = self._through(stage, x)
            features.append(x)
        chosen = [features[index] for index in wanted]
        if output_fmt == "NHWC":
            chosen = [feature.permute(0, 2, 3, 1) for feature in chosen]
        return chosen if intermediates_only else (x, chosen)

    def _stages(self, indices: int | Sequence[int] | None) -> list[int]:
        """Return which stages are asked for, from 0; a Problem for one that is not there."""
        last = len(self.stages)
        wanted = list(range(last)) if indices is None else indices
        wanted = range(last - wanted, last) if isinstance(wanted, int) else wanted
        if not all(-last <= index < last for index in wanted):
            raise Problem(f"stages {list(wanted)} do not exist; valid: {-last} to {last - 1}")
        return [index % last for index in wanted]

    def prune_intermediate_layers(
        self,
        indices: int | Sequence[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Remove the stages after the last one asked for, and the head; return the stages.

        prune_norm: no effect, as no norm follows the last stage before the pool.
        """
        wanted = self._stages(indices)
        pruned = max(wanted) + 1 < len(self.stages)
        self.stages = self.stages[: max(wanted) + 1]
        if prune_head or pruned:
            self.head = nn.Sequential(OrderedDict(classifier=nn.Identity()))
            self.num_classes = 0
        return wanted

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only the inputs of blocks for the backward pass, and compute the rest again."""
        self.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> Callable[[str], tuple[int, ...]]:
        """Return a function from a parameter's name to its layer group, for layer-wise decay.

        The groups are those of the paper's fine-tuning: the stem, then three blocks at a time with
        the downsampling before them, then the head. With `coarse` a stage is one group.
        """

        def group(name: str) -> tuple[int, ...]:
            part, *numbers = name.split(".")
            if part != "stages":
                return (0 if part == "stem" else 2, 0, 0)
            block = int(numbers[2]) if numbers[1] == "blocks" and not coarse else 0
            return (1, int(numbers[0]), block // 3)

        return group

    def get_classifier(self) -> nn.Module:
        """Return the last, linear layer."""
        return self.head.get_submodule("classifier")

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the last layer by one for `num_classes` classes; 0 leaves pooled features.

        With 0 classes and an empty `global_pool`, a norm is all that is left of the head: the
        output is then (batch, num_features, height, width).
        """
        if global_pool not in (None, "avg") and (global_pool or num_classes):
            raise Problem(
                f"unknown global_pool {global_pool!r}; valid: 'avg', and '' for 0 classes"
            )
        self.num_classes = num_classes
        if global_pool == "":
            kept = [(name, layer) for name, layer in self.head.named_children() if name == "norm"]
            self.head = nn.Sequential(OrderedDict([*kept, ("classifier", nn.Identity())]))
            return
        if num_classes == 0:
            self.head.classifier = nn.Identity()
        else:
            self.head.classifier = nn.Linear(self.head_hidden_size, num_classes)
            self._initialize(self.head.classifier)

    @torch.no_grad()
    def initialize(self) -> None:
        """Draw new weights from torch's global generator, by the spec's rule.

        `kaiming_normal`: He's rule for convolutions (torch's fan-out, not divided by groups) and
        torch's default for the classifier, as for ResNet and ResNeXt. `truncated_normal`: standard
        deviation 0.02 for convolutions and linear layers, biases 0, as in the released ConvNeXt.
        Norms start as the identity with both.
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
    """Return the torch module of a network spec, initialized from torch's global generator.

    A Reference gives timm's model of that name; only models of a fixed size use `image_size`. Its
    depthwise convolutions become `DepthwiseConvolution`, with the same weights and names, and the
    same results up to rounding.
    """
    if isinstance(network, Network):
        return RoadmapNetwork(network)
    check_reference(network)
    config = timm.get_pretrained_cfg(network.timm)
    options: dict[str, Any] = {"num_classes": network.classes}
    if config and config.fixed_input_size:
        options["img_size"] = image_size
    try:
        model = timm.create_model(network.timm, drop_path_rate=network.drop_path, **options)
    except TypeError:  # a few of timm's models have no stochastic depth
        model = timm.create_model(network.timm, **options)
    for module in filter(DepthwiseConvolution.can_be, model.modules()):
        module.__class__ = DepthwiseConvolution  # it has no attributes of its own
    return model


def check_reference(network: Reference) -> None:
    """Raise Problem, with similar names, if timm has no model of this name."""
    if not timm.is_model(network.timm):
        near = ", ".join(timm.list_models(f"*{network.timm.split('_')[0]}*")[:5])
        raise Problem(f"timm has no model {network.timm!r}" + (f"; near: {near}" if near else ""))


def _stage(stage: PlannedStage) -> nn.Sequential:
    blocks = nn.Sequential(*(ResidualBlock(block) for block in stage.blocks))  # draws first
    parts = OrderedDict(downsampling=sequence(stage.downsampling)) if stage.downsampling else {}
    return nn.Sequential(OrderedDict[str, nn.Module](parts, blocks=blocks))


def _feature_info(network: Network) -> list[dict[str, object]]:
    """Return timm's description of each stage: channels, reduction (stride) and module name."""
    stages: list[dict[str, object]] = []
    strides = [unit.stride for unit in network.stem.before]
    reduction = network.stem.stride * prod(strides) * (2 if network.stem.max_pool else 1)
    for index, stage in enumerate(plan(network).stages):
        reduction *= stride_of(network, index)
        channels = list(stage.layers())[-1].outputs[0]
        stages.append({"num_chs": channels, "reduction": reduction, "module": f"stages.{index}"})
    return stages
