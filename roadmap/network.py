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
from torch.nn import functional

from roadmap.errors import Problem
from roadmap.plan import Layer, Layers, PlannedBlock, PlannedStage, plan
from roadmap.spec import Network, Reference


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over channels at each position: (batch, channels, height, width) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = x.permute(0, 2, 3, 1)  # batch, height, width, channels
        x = functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class _InOrder(torch.autograd.Function):
    """A tensor and its gradient in contiguous memory: `bmm` copies others matrix by matrix."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.view_as(x) if x.is_contiguous() else x.contiguous()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient.contiguous()


class DepthwiseConvolution(nn.Conv2d):
    """A depthwise convolution that on the CPU takes maps smaller than its kernel as a matrix.

    The result is that of `nn.Conv2d` up to rounding. Where the kernel is larger than the map, the
    CPU's convolution spends its time on padding, above all backward; a matrix per channel, from
    every position to every other, is 2 to 8 times as fast there and slower elsewhere.
    """

    @staticmethod
    def can_be(module: nn.Module) -> bool:
        """Whether a module is a convolution that this one computes: each channel by itself."""
        return (
            type(module) is nn.Conv2d
            and module.groups == module.in_channels == module.out_channels
            and module.kernel_size[0] == module.kernel_size[1] > 1
            and module.stride[0] == module.stride[1]
            and module.padding in ((side, side) for side in range(module.kernel_size[0]))
            and module.dilation == (1, 1)
            and module.padding_mode == "zeros"
        )

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if x.device.type != "cpu" or max(x.shape[2:]) >= self.kernel_size[0]:
            return super().forward(x)
        batch, channels, height, width = x.shape
        matrix, size = self._matrix(height, width)
        flat = _InOrder.apply(x.reshape(batch, channels, -1).transpose(0, 1))
        out = _InOrder.apply(torch.bmm(flat, matrix))  # channels, batch, positions out
        out = out.transpose(0, 1).reshape(batch, channels, *size)
        out = out.contiguous(memory_format=torch.channels_last)
        return out if self.bias is None else out + self.bias[:, None, None]

    def _matrix(self, height: int, width: int) -> tuple[Tensor, tuple[int, int]]:
        """The weights as (channels, positions in, positions out), and the output's size."""
        kernel, stride, padding = self.kernel_size[0], self.stride[0], self.padding[0]
        taps, inside = [], []
        for side in (height, width):
            outputs = torch.arange((side + 2 * padding - kernel) // stride + 1)
            tap = torch.arange(side)[:, None] - outputs * stride + padding  # in, out
            inside.append((tap >= 0) & (tap < kernel))
            taps.append(tap.clamp(0, kernel - 1))
        rows, columns = taps
        spread = self.weight[:, 0][:, rows][
            :, :, :, columns
        ]  # channels, row in, out, column in, out
        spread = spread * (inside[0][:, :, None, None] & inside[1])
        matrix = spread.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return matrix, (rows.shape[1], columns.shape[1])


class LayerScale(nn.Module):
    """A learned factor per channel; (batch, channels, height, width) in and out."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return x.mul(self.gamma.reshape(1, -1, 1, 1))


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


def sequence(layers: Layers) -> nn.Sequential:
    """The modules of planned layers, one after another; none make the identity."""
    return nn.Sequential(OrderedDict((each.name.split(".")[-1], _module(each)) for each in layers))


def _module(layer: Layer) -> nn.Module:
    channels = layer.inputs[0]
    match layer.kind:
        case "convolution":
            depthwise = layer.groups == channels == layer.outputs[0] and layer.kernel > 1
            return (DepthwiseConvolution if depthwise else nn.Conv2d)(
                channels,
                layer.outputs[0],
                layer.kernel,
                stride=layer.stride,
                padding=layer.padding,
                groups=layer.groups,
                bias=layer.bias,
            )
        case "linear":
            return nn.Linear(channels, layer.outputs[0], bias=layer.bias)
        case "batch_norm":
            return nn.BatchNorm2d(channels)
        case "layer_norm":
            return ChannelNorm(channels)
        case "relu":
            return nn.ReLU(inplace=True)
        case "gelu":
            return nn.GELU()
        case "max_pool":
            return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding)
        case "average_pool":
            return nn.AdaptiveAvgPool2d(1)
        case "flatten":
            return nn.Flatten(1)
        case "layer_scale":
            return LayerScale(channels, layer.initial)
        case "operation":
            return _operation(layer)
    raise AssertionError(f"the plan has a layer of unknown kind {layer.kind!r}")


def _operation(layer: Layer) -> nn.Module:
    operation = layer.operation
    if operation.build is None:
        raise Problem(
            f"operation {operation.operation!r} comes from a steps file of yours: add --steps FILE"
        )
    return operation.build(layer.inputs[0], **operation.parameters)


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
