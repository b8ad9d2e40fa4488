"""From a spec to a plan: every layer of the network with its name, channels and shapes.

The plan is the only description of a network's structure. `cost` sums over it and `network` builds
torch modules from it, so the two cannot disagree. No torch here.

A shape is (channels, height, width) of one image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from roadmap.edit import is_spatial
from roadmap.errors import Problem
from roadmap.kinds import ACTIVATIONS, NORMS, LayerKind
from roadmap.spec import (
    Block,
    Convolution,
    Downsampling,
    Network,
    Operation,
    Parallel,
    ResponseNorm,
    SqueezeExcitation,
    Stage,
    Stem,
)

Shape = tuple[int, int, int]
Size = int | tuple[int, int]  # pixels a side of a square image, or its height and width


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One primitive layer; `name` is the dotted path of its torch module.

    Fields that a kind does not use stay at their default. `columns` is the width of a kernel that
    is not square; it is padded by half on both sides. `parts` are the layers inside a layer.
    `module` names the class of an activation that is none of our kinds.
    """

    name: str
    kind: LayerKind
    inputs: Shape
    outputs: Shape
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = False
    initial: float = 0.0
    operation: Operation | None = None
    columns: int | None = None
    parts: tuple[Layer, ...] = ()
    module: str = ""

    @property
    def taps(self) -> int:
        """Positions under the kernel."""
        return self.kernel * (self.columns or self.kernel)

    @property
    def column_padding(self) -> int:
        """Padding on the left and on the right."""
        return self.padding if self.columns is None else self.columns // 2


Layers = tuple[Layer, ...]


@dataclass(frozen=True, kw_only=True)
class PlannedBlock:
    """A residual block: activation(drop_path(branch(x)) + shortcut(x)); no layers: the identity."""

    branch: Layers
    shortcut: Layers
    activation: Layers
    drop_path: float

    def layers(self) -> Iterator[Layer]:
        """Give all layers in the order in which they run."""
        return chain(self.branch, self.shortcut, self.activation)


@dataclass(frozen=True, kw_only=True)
class PlannedStage:
    """The layers between two stages, then the stage's blocks."""

    downsampling: Layers
    blocks: tuple[PlannedBlock, ...]

    def layers(self) -> Iterator[Layer]:
        """Give all layers in the order in which they run."""
        return chain(self.downsampling, *(block.layers() for block in self.blocks))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every layer of a network for one image size."""

    stem: Layers
    stages: tuple[PlannedStage, ...]
    head: Layers

    def layers(self) -> Iterator[Layer]:
        """Give all layers in the order in which they run; of a layer with parts, its parts too."""
        layers = chain(self.stem, *(stage.layers() for stage in self.stages), self.head)
        return chain.from_iterable((layer, *layer.parts) for layer in layers)


def plan(network: Network, image_size: Size = 224) -> Plan:
    """Return the plan of a network for RGB images of `image_size` pixels.

    Raises Problem if a layer does not fit: the image is too small for the strides, or the output
    width of a depthwise convolution is no multiple of its input width.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    stem, shape = _stem(network.stem, network.stages[0].width, (3, height, width))
    rates = _drop_path_rates(network)
    stages = []
    for index, stage in enumerate(network.stages):
        name, stride = f"stages.{index}", stride_of(network, index)
        downsampling: Layers = ()
        if network.downsampling is not None and (index > 0 or stride > 1):
            prefix = f"{name}.downsampling"
            between = network.downsampling
            downsampling, shape = _downsampling(between, stage, prefix, shape, stride)
            stride = 1
        blocks = []
        strided = stage.depth - 1 if stage.stride_in == "last" else 0
        for number in range(stage.depth):
            block, shape = _block(
                stage, network.layer_scale, f"{name}.blocks.{number}", shape,
                stride if number == strided else 1, next(rates),
            )  # fmt: skip
            blocks.append(block)
        stages.append(PlannedStage(downsampling=downsampling, blocks=tuple(blocks)))
    return Plan(stem=stem, stages=tuple(stages), head=_head(network, shape))


def stride_of(network: Network, index: int) -> int:
    """Return the stride of a stage, from its spec or by its place."""
    return network.stages[index].stride or (2 if index else 1)


def _drop_path_rates(network: Network) -> Iterator[float]:
    depth = sum(stage.depth for stage in network.stages)
    return (network.drop_path * index / max(depth - 1, 1) for index in range(depth))


class _Chain:
    """Layers one after another under one prefix, with the running shape."""

    def __init__(self, prefix: str, shape: Shape) -> None:
        self.prefix, self.shape = prefix, shape
        self.layers: list[Layer] = []

    def add(
        self, name: str, kind: LayerKind, outputs: Shape | None = None, *, bias: bool = False,
        initial: float = 0.0, operation: Operation | None = None, parts: Layers = (),
        module: str = "",
    ) -> None:  # fmt: skip
        """Add a layer that maps positions one to one or looks at all of them."""
        outputs = outputs or self.shape
        self._append(
            Layer(
                name=f"{self.prefix}.{name}", kind=kind, inputs=self.shape, outputs=outputs,
                bias=bias, initial=initial, operation=operation, parts=parts, module=module,
            )
        )  # fmt: skip

    def window(
        self, name: str, kind: LayerKind, channels: int, kernel: int, stride: int, *,
        groups: int = 1, bias: bool = False,
    ) -> None:  # fmt: skip
        """Add a layer that slides a window; it is padded unless the windows do not overlap."""
        padding = 0 if kernel == stride else kernel // 2
        _, height, width = self.shape
        rows, columns = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
        if min(rows, columns) < 1:
            raise Problem(
                f"{self.prefix}.{name}: a {kernel}×{kernel} window with stride {stride} does not "
                f"fit its {height}×{width} input; use a larger image size"
            )
        self._append(
            Layer(
                name=f"{self.prefix}.{name}", kind=kind, inputs=self.shape,
                outputs=(channels, rows, columns), kernel=kernel, stride=stride, padding=padding,
                groups=groups, bias=bias,
            )
        )  # fmt: skip

    def convolution(
        self, name: str, channels: int, kernel: int, stride: int, *, bias: bool,
        depthwise: bool = False,
    ) -> None:  # fmt: skip
        incoming = self.shape[0]
        if depthwise and channels % incoming:
            raise Problem(
                f"{self.prefix}.{name}: a depthwise convolution from {incoming} to {channels} "
                f"channels; the output must be a multiple of the input"
            )
        groups = incoming if depthwise else 1
        self.window(name, LayerKind.CONVOLUTION, channels, kernel, stride, groups=groups, bias=bias)

    def average_window(self, name: str, side: int) -> None:
        """Add means over windows that do not overlap; the last ones may be smaller."""
        channels, height, width = self.shape
        outputs = (channels, -(-height // side), -(-width // side))
        self._append(
            Layer(
                name=f"{self.prefix}.{name}", kind=LayerKind.AVERAGE_WINDOW, inputs=self.shape,
                outputs=outputs, kernel=side, stride=side,
            )
        )  # fmt: skip

    def norm(self, name: str, norm: str | None) -> None:
        if norm:
            self.add(name, NORMS[norm])

    def activation(self, name: str, activation: str | None) -> None:
        if activation:
            kind = ACTIVATIONS.get(activation)
            if kind is not None:
                self.add(name, kind)
            else:
                self.add(name, LayerKind.ACTIVATION, module=activation)

    def result(self) -> tuple[Layers, Shape]:
        return tuple(self.layers), self.shape

    def _append(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.shape = layer.outputs


def _stem(stem: Stem, width: int, shape: Shape) -> tuple[Layers, Shape]:
    layers = _Chain("stem", shape)
    for index, unit in enumerate(stem.before):
        channels = max(1, int(width * unit.share))
        layers.convolution(
            f"convolution_{index}", channels, unit.kernel, unit.stride, bias=unit.bias
        )
        layers.norm(f"norm_{index}", unit.norm)
        layers.activation(f"activation_{index}", unit.activation)
    layers.convolution("convolution", width, stem.kernel, stem.stride, bias=stem.bias)
    layers.norm("norm", stem.norm)
    layers.activation("activation", stem.activation)
    if stem.max_pool:
        layers.window("max_pool", LayerKind.MAX_POOL, width, 3, 2)
    layers.norm("final_norm", stem.final_norm)
    return layers.result()


def _downsampling(
    downsampling: Downsampling, stage: Stage, prefix: str, shape: Shape, stride: int
) -> tuple[Layers, Shape]:
    layers = _Chain(prefix, shape)
    layers.norm("norm", downsampling.norm)
    width, kernel = output_width(stage), downsampling.kernel if stride > 1 else 1
    layers.convolution("convolution", width, kernel, stride, bias=downsampling.bias)
    return layers.result()


def output_width(stage: Stage) -> int:
    """Return a stage's output channels: those of its last unit whose width is not `same`."""
    widths = [unit.width for unit in stage.block.units if isinstance(unit, Convolution)]
    named = [width for width in widths if width != "same"] or ["narrow"]
    return _channels(named[-1], stage, 0)


def _channels(width: str, stage: Stage, incoming: int) -> int:
    wide = stage.width * stage.block.expansion
    return {"narrow": stage.width, "wide": wide, "same": incoming}[width]


def _block(
    stage: Stage, layer_scale: float | None, name: str, shape: Shape, stride: int, drop_path: float
) -> tuple[PlannedBlock, Shape]:
    block = stage.block
    branch = _Chain(f"{name}.branch", shape)
    strided = _strided_unit(block)
    for index, unit in enumerate(block.units):
        if isinstance(unit, Operation):
            branch.add(f"{unit.operation}_{index}", LayerKind.OPERATION, operation=unit)
            continue
        if not isinstance(unit, Convolution):
            add_unit(branch, unit, index)
            continue
        channels = _channels(unit.width, stage, branch.shape[0])
        unit_stride = stride if index == strided else 1
        branch.convolution(
            f"convolution_{index}", channels, unit.kernel, unit_stride, bias=unit.bias,
            depthwise=unit.depthwise,
        )  # fmt: skip
        branch.norm(f"norm_{index}", unit.norm)
        branch.activation(f"activation_{index}", unit.activation)
    if layer_scale is not None:
        branch.add("layer_scale", LayerKind.LAYER_SCALE, initial=layer_scale)
    shortcut = _Chain(f"{name}.shortcut", shape)
    if stride > 1 or branch.shape != shape:
        if block.shortcut == "average_pool" and stride > 1:
            shortcut.average_window("pool", stride)
            stride = 1  # the pool has it
        shortcut.convolution("convolution", branch.shape[0], 1, stride, bias=block.shortcut_bias)
        shortcut.norm("norm", block.shortcut_norm)
    after = _Chain(name, branch.shape)
    after.activation("activation", block.activation)
    planned = PlannedBlock(
        branch=tuple(branch.layers),
        shortcut=tuple(shortcut.layers),
        activation=tuple(after.layers),
        drop_path=drop_path,
    )
    return planned, branch.shape


def add_unit(branch: _Chain, unit: Parallel | SqueezeExcitation | ResponseNorm, index: int) -> None:
    """Add a unit that keeps the channels and the resolution."""
    if isinstance(unit, ResponseNorm):
        branch.add(f"response_norm_{index}", LayerKind.RESPONSE_NORM, initial=unit.epsilon)
    elif isinstance(unit, SqueezeExcitation):
        name = f"squeeze_excitation_{index}"
        parts = _squeeze_excitation(unit, f"{branch.prefix}.{name}", branch.shape[0])
        branch.add(name, LayerKind.SQUEEZE_EXCITATION, parts=parts)
    else:
        name = f"parallel_{index}"
        parts = _parallel(unit, f"{branch.prefix}.{name}", branch.shape)
        branch.add(name, LayerKind.PARALLEL, parts=parts)
        branch.norm(f"norm_{index}", unit.norm)
        branch.activation(f"activation_{index}", unit.activation)


def _squeeze_excitation(unit: SqueezeExcitation, prefix: str, channels: int) -> Layers:
    layers = _Chain(prefix, (channels, 1, 1))
    layers.convolution("reduce", unit.hidden(channels), 1, 1, bias=True)
    layers.activation("activation", "relu")
    layers.convolution("expand", channels, 1, 1, bias=True)
    return tuple(layers.layers)


def _parallel(unit: Parallel, prefix: str, shape: Shape) -> Layers:
    layers = []
    for number, branch in enumerate(unit.branches):
        rows, columns = branch.size
        channels = int(shape[0] * branch.share)
        if channels == 0:
            raise Problem(
                f"{prefix}: a share of {branch.share:g} of {shape[0]} channels is less than one"
            )
        group = (channels, *shape[1:])
        layers.append(
            Layer(
                name=f"{prefix}.branch_{number}", kind=LayerKind.CONVOLUTION, inputs=group,
                outputs=group, kernel=rows, padding=rows // 2, groups=channels, bias=unit.bias,
                columns=None if rows == columns else columns,
            )
        )  # fmt: skip
    return tuple(layers)


def _strided_unit(block: Block) -> int:
    indices = [i for i, unit in enumerate(block.units) if isinstance(unit, Convolution)]
    if block.stride_at == "first":
        return indices[0]
    return next((i for i in indices if is_spatial(block.units[i])), indices[0])


def _head(network: Network, shape: Shape) -> Layers:
    layers = _Chain("head", shape)
    layers.add("pool", LayerKind.AVERAGE_POOL, (shape[0], 1, 1))
    layers.norm("norm", network.head_norm)
    layers.add("flatten", LayerKind.FLATTEN)
    if (mlp := network.head_mlp) is not None:
        layers.add("hidden", LayerKind.LINEAR, (shape[0] * mlp.expansion, 1, 1), bias=True)
        layers.activation("hidden_activation", mlp.activation)
        if mlp.norm:
            layers.add("hidden_norm", LayerKind.FEATURE_NORM)
    if network.head_dropout:
        layers.add("dropout", LayerKind.DROPOUT, initial=network.head_dropout)
    layers.add("classifier", LayerKind.LINEAR, (network.classes, 1, 1), bias=True)
    return tuple(layers.layers)
