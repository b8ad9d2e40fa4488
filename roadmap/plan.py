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
from roadmap.spec import Block, Convolution, Downsampling, Network, Operation, Stage, Stem

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One primitive layer; `name` is the dotted path of its torch module.

    Fields that a kind does not use stay at their default. `module` names the class of an activation
    that is none of our kinds.
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
    module: str = ""


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
        """Give all layers in the order in which they run."""
        return chain(self.stem, *(stage.layers() for stage in self.stages), self.head)


def plan(network: Network, image_size: int = 224) -> Plan:
    """Return the plan of a network for square RGB images of `image_size` pixels.

    Raises Problem if a layer does not fit: the image is too small for the strides, or the output
    width of a depthwise convolution is no multiple of its input width.
    """
    stem, shape = _stem(network.stem, network.stages[0].width, (3, image_size, image_size))
    rates = _drop_path_rates(network)
    stages = []
    for index, stage in enumerate(network.stages):
        name, stride = f"stages.{index}", 1
        downsampling: Layers = ()
        if index > 0 and network.downsampling is None:
            stride = 2
        elif index > 0 and network.downsampling is not None:
            prefix = f"{name}.downsampling"
            downsampling, shape = _downsampling(network.downsampling, stage, prefix, shape)
        blocks = []
        for number in range(stage.depth):
            block, shape = _block(
                stage, network.layer_scale, f"{name}.blocks.{number}", shape, stride, next(rates)
            )
            blocks.append(block)
            stride = 1
        stages.append(PlannedStage(downsampling=downsampling, blocks=tuple(blocks)))
    return Plan(stem=stem, stages=tuple(stages), head=_head(network, shape))


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
        initial: float = 0.0, operation: Operation | None = None, module: str = "",
    ) -> None:  # fmt: skip
        """Add a layer that maps positions one to one or looks at all of them."""
        outputs = outputs or self.shape
        self._append(
            Layer(
                name=f"{self.prefix}.{name}", kind=kind, inputs=self.shape, outputs=outputs,
                bias=bias, initial=initial, operation=operation, module=module,
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
    layers.convolution("convolution", width, stem.kernel, stem.stride, bias=stem.bias)
    layers.norm("norm", stem.norm)
    layers.activation("activation", stem.activation)
    if stem.max_pool:
        layers.window("max_pool", LayerKind.MAX_POOL, width, 3, 2)
    layers.norm("final_norm", stem.final_norm)
    return layers.result()


def _downsampling(
    downsampling: Downsampling, stage: Stage, prefix: str, shape: Shape
) -> tuple[Layers, Shape]:
    layers = _Chain(prefix, shape)
    layers.norm("norm", downsampling.norm)
    width, kernel = output_width(stage), downsampling.kernel
    layers.convolution("convolution", width, kernel, 2, bias=downsampling.bias)
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
        shortcut.convolution("convolution", branch.shape[0], 1, stride, bias=False)
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


def _strided_unit(block: Block) -> int:
    indices = [i for i, unit in enumerate(block.units) if isinstance(unit, Convolution)]
    return next((i for i in indices if is_spatial(block.units[i])), indices[0])


def _head(network: Network, shape: Shape) -> Layers:
    layers = _Chain("head", shape)
    layers.add("pool", LayerKind.AVERAGE_POOL, (shape[0], 1, 1))
    layers.norm("norm", network.head_norm)
    layers.add("flatten", LayerKind.FLATTEN)
    layers.add("classifier", LayerKind.LINEAR, (network.classes, 1, 1), bias=True)
    return tuple(layers.layers)
