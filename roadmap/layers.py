"""Build the torch modules of single layers.

Tensors are (batch, channels, height, width). On a GPU, channels-last memory makes every module here
work on contiguous memory: LayerNorm and 1×1 convolutions run over the last dimension of a view.

Where the computation depends on the device, a function in `roadmap.kernels` decides. `torch.fx`
takes each as one node; `torch.compile` and `torch.export` trace into it.
"""

from __future__ import annotations

import pkgutil
from collections import OrderedDict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from roadmap.cost import layer_cost
from roadmap.errors import Problem
from roadmap.kernels.depthwise import depthwise
from roadmap.kernels.elementwise import average, channel_norm
from roadmap.kernels.pointwise import pointwise
from roadmap.kinds import LayerKind
from roadmap.plan import Layer, Layers

for name in ("average", "channel_norm", "depthwise", "pointwise"):
    torch.fx.wrap(name)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over channels at each position: (batch, channels, height, width) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return channel_norm(x, self.weight, self.bias, self.eps)


class GlobalAveragePool(nn.AdaptiveAvgPool2d):
    """The mean over positions: (batch, channels, height, width) in, (batch, channels, 1, 1) out."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return average(x)


class LayerScale(nn.Module):
    """A learned factor per channel: (batch, channels, height, width) in and out."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return x.mul(self.gamma.reshape(1, -1, 1, 1))


class PointwiseConvolution(nn.Conv2d):
    """A 1×1 convolution with stride 1, on a GPU a matrix product: shapes as `nn.Conv2d`."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return pointwise(x, self.weight, self.bias)


class DepthwiseConvolution(nn.Conv2d):
    """A depthwise convolution that picks the fastest method known: shapes as `nn.Conv2d`.

    The result is that of `nn.Conv2d` up to rounding. See `roadmap.kernels.depthwise`.
    """

    @staticmethod
    def can_be(module: nn.Module) -> bool:
        """Return whether a module is a convolution that this class computes."""
        return (
            type(module) is nn.Conv2d
            and module.groups == module.in_channels == module.out_channels
            and module.kernel_size[0] == module.kernel_size[1] > 1
            and module.stride[0] == module.stride[1]
            and module.padding in [(side, side) for side in range(module.kernel_size[0])]
            and module.dilation == (1, 1)
            and module.padding_mode == "zeros"
        )

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return depthwise(x, self.weight, self.bias, self.stride[0], int(self.padding[0]))


class ResponseNorm(nn.Module):
    """Global response normalization: (batch, channels, height, width) in and out.

    A channel's norm over all positions, relative to the mean of all channels' norms, multiplies it.
    """

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.zeros(channels))  # one dimension: without weight decay
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        response = x.norm(p=2, dim=(2, 3), keepdim=True)
        relative = response / (response.mean(dim=1, keepdim=True) + self.epsilon)
        weight, bias = self.weight.view(1, -1, 1, 1), self.bias.view(1, -1, 1, 1)
        return x + torch.addcmul(bias, weight, x * relative)


class SqueezeExcitation(nn.Module):
    """A factor per channel from all means: (batch, channels, height, width) in and out."""

    def __init__(self, parts: Layers) -> None:
        super().__init__()
        self.reduce, self.activation, self.expand = map(_module, parts)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        mean = x.mean((2, 3), keepdim=True)
        return x * self.expand(self.activation(self.reduce(mean))).sigmoid()


class Parallel(nn.Module):
    """Convolutions over groups of channels: (batch, channels, height, width) in and out.

    The first channels pass unchanged if the convolutions do not take all of them.
    """

    def __init__(self, channels: int, parts: Layers) -> None:
        super().__init__()
        groups = [part.inputs[0] for part in parts]
        self.sizes = [channels - sum(groups), *groups]
        for number, part in enumerate(parts):
            self.add_module(f"branch_{number}", _module(part))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        groups = x.split(self.sizes, dim=1)  # torch.fx can index it, but not iterate over it
        branches = [branch(groups[place]) for place, branch in enumerate(self.children(), start=1)]
        return torch.cat([groups[0], *branches], dim=1)


def sequence(layers: Layers) -> nn.Sequential:
    """Return the modules of planned layers in order; no layers make the identity."""
    return nn.Sequential(
        OrderedDict((layer.name.split(".")[-1], _module(layer)) for layer in layers)
    )


def _module(layer: Layer) -> nn.Module:
    channels = layer.inputs[0]
    match layer.kind:
        case LayerKind.CONVOLUTION:
            return _convolution(layer)
        case LayerKind.LINEAR:
            return nn.Linear(channels, layer.outputs[0], bias=layer.bias)
        case LayerKind.MAX_POOL:
            return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding)
        case LayerKind.AVERAGE_POOL:
            return GlobalAveragePool(1)
        case LayerKind.FLATTEN:
            return nn.Flatten(1)
        case LayerKind.LAYER_SCALE:
            return LayerScale(channels, layer.initial)
        case LayerKind.AVERAGE_WINDOW:
            return nn.AvgPool2d(layer.kernel, layer.stride, ceil_mode=True, count_include_pad=False)
        case LayerKind.RESPONSE_NORM:
            return ResponseNorm(channels, layer.initial)
        case LayerKind.FEATURE_NORM:
            return nn.LayerNorm(channels, eps=1e-6)
        case LayerKind.DROPOUT:
            return nn.Dropout(layer.initial)
        case LayerKind.PARALLEL:
            return Parallel(channels, layer.parts)
        case LayerKind.SQUEEZE_EXCITATION:
            return SqueezeExcitation(layer.parts)
        case LayerKind.OPERATION:
            return _operation(layer)
        case LayerKind.ACTIVATION:
            return _named_activation(layer)
    return norm_or_activation(layer.kind, channels)


def _convolution(layer: Layer) -> nn.Conv2d:
    channels = layer.inputs[0]
    depthwise = layer.groups == channels == layer.outputs[0]
    if depthwise and layer.kernel > 1 and layer.columns is None:
        kind: type[nn.Conv2d] = DepthwiseConvolution
    elif layer.taps == layer.stride == layer.groups == 1 and not layer.padding:
        kind = PointwiseConvolution
    else:
        kind = nn.Conv2d
    return kind(
        channels,
        layer.outputs[0],
        (layer.kernel, layer.columns or layer.kernel),
        stride=layer.stride,
        padding=(layer.padding, layer.column_padding),
        groups=layer.groups,
        bias=layer.bias,
    )


def norm_or_activation(kind: LayerKind, channels: int) -> nn.Module:
    """Build the class that the table of kinds names: one from here, otherwise one of torch."""
    builder = globals().get(kind.module) or getattr(nn, kind.module)
    if kind.part == "norm":
        return builder(channels)
    module = builder()
    if hasattr(module, "inplace"):
        module.inplace = True  # nothing else reads an activation's input; saves its memory
    return module


def _named_activation(layer: Layer) -> nn.Module:
    """Build an activation by the name of its class, one of `torch.nn` if the name has no dot."""
    name = layer.module
    try:
        kind = pkgutil.resolve_name(name if "." in name else f"torch.nn.{name}")
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise Problem(f"activation {name!r} is no class of torch modules")
        module = kind()
    except Problem:
        raise
    except Exception as error:  # any exception of a package of the user's
        raise Problem(f"activation {name!r} cannot be built: {said(error)}") from error
    if next(module.parameters(), None) is not None:
        raise Problem(f"activation {name!r} has learned values: write it as an operation of yours")
    return module


def check_layers(layers: Iterable[Layer]) -> None:
    """Build and run every different operation and named activation of a plan, on small input.

    Raises Problem if one cannot be built, fails, or changes the shape. Takes milliseconds, so that
    a fault in a user's file is found before images are decoded.
    """
    seen = []
    for layer in layers:
        what = (layer.kind, layer.inputs[0], layer.module, layer.operation)
        if layer.kind not in (LayerKind.OPERATION, LayerKind.ACTIVATION) or what in seen:
            continue
        seen.append(what)
        name = f"operation {layer.operation.operation!r}" if layer.operation else layer.module
        module = _module(layer)
        x = torch.randn(2, *layer.inputs)
        try:
            with torch.no_grad():
                made = module(x)
        except Exception as error:  # any exception of the user's code
            raise Problem(
                f"{name} fails on input of shape {tuple(x.shape)}: {said(error)}"
            ) from error
        if not isinstance(made, Tensor) or made.shape != x.shape:
            shape = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise Problem(f"{name} makes {shape} from {tuple(x.shape)}; the shape must stay")


def said(error: Exception) -> str:
    """Return an exception of a user's code as one line."""
    return f"{type(error).__name__}: {error}"


def _operation(layer: Layer) -> nn.Module:
    operation = layer.operation
    assert operation is not None, f"{layer.name} has no operation"
    if operation.build is None:
        raise Problem(
            f"operation {operation.operation!r} comes from a steps file of yours: add --steps FILE"
        )
    channels = layer.inputs[0]
    try:
        module = operation.build(channels, **operation.parameters)
    except Exception as error:  # any exception of the user's code
        raise Problem(
            f"the build of operation {operation.operation!r} fails: {said(error)}"
        ) from error
    if not isinstance(module, nn.Module):
        kind = type(module).__name__
        raise Problem(
            f"the build of operation {operation.operation!r} must return a torch module, not {kind}"
        )
    built = sum(weights.numel() for weights in module.parameters())
    stated = layer_cost(layer).params
    if built != stated:
        raise Problem(
            f"the cost of operation {operation.operation!r} states {stated:,} parameters for "
            f"{channels} channels, but its module has {built:,}"
        )
    return module
