"""What a row's network is made of, as boxes for a diagram, and how they differ from the row before.

Boxes come from the plan, so a diagram shows what is built and costed, for any spec.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from roadmap.plan import Layer, Plan, plan
from roadmap.rows import Row
from roadmap.spec import Network, Recipe, Spec

NAMES = {
    "batch_norm": "BatchNorm",
    "layer_norm": "LayerNorm",
    "relu": "ReLU",
    "gelu": "GELU",
    "layer_scale": "layer scale",
    "average_pool": "average pool",
}


@dataclass(frozen=True, kw_only=True)
class Box:
    """One layer, or one part of a network; `change` is `new` or `gone` against the row before.

    `kind` is k×k, depthwise, 1×1, norm, activation, operation or part; `channels` is how many come
    out, 0 where that says nothing.
    """

    kind: str
    text: str
    detail: str = ""
    channels: int = 0
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class BlockDiagram:
    """A residual block from top to bottom; `stages` are those (from 1) that have it."""

    stages: tuple[int, ...]
    incoming: str
    branch: tuple[Box, ...]
    shortcut: tuple[Box, ...]
    after: tuple[Box, ...]
    outgoing: str

    @property
    def is_new(self) -> bool:
        """Whether anything in it is new or gone against the row before."""
        return any(box.change for box in (*self.branch, *self.shortcut, *self.after))

    @property
    def where(self) -> str:
        """`stage 2`, `stages 1, 3`."""
        numbers = ", ".join(map(str, self.stages))
        return f"stage{'s' * (len(self.stages) > 1)} {numbers}"


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """A row's network: its parts from stem to head and its recipe, and its different blocks."""

    parts: tuple[Box, ...]
    blocks: tuple[BlockDiagram, ...]


def diagram(row: Row) -> Diagram:
    """The diagram of a row, with what changed from the row before marked.

    Stages share a diagram where both rows have the same block in all of them.
    """
    if row.before is None:
        return plain(row.spec)
    (own, mine), (before, theirs) = ((spec, _planned(spec)) for spec in (row.spec, row.before.spec))
    kinds = [repr(stage.block) for stage in own.network.stages]
    for place, stage in enumerate(before.network.stages[: len(kinds)]):
        kinds[place] += repr(stage.block)
    blocks = []
    for stages, shown in _shared(own.network, kinds):
        block = _block(mine, stages, shown)
        if shown < len(theirs.stages):
            block = _marked(_block(theirs, stages, shown), block)
        blocks.append(block)
    parts = marked(tuple(_parts(before, theirs)), tuple(_parts(own, mine)))
    return Diagram(parts=parts, blocks=tuple(blocks))


def marked(before: Sequence[Box], after: Sequence[Box]) -> tuple[Box, ...]:
    """The boxes after a change, those that are new marked, those that are gone in their place.

    Where both have the same kinds in the same order, each box is compared with its own.
    """
    if [box.kind for box in before] == [box.kind for box in after]:
        pairs = zip(before, after, strict=True)
        return tuple(box if box == old else replace(box, change="new") for old, box in pairs)
    found: list[Box] = []
    compared = SequenceMatcher(None, before, after, autojunk=False)
    for how, start, stop, first, last in compared.get_opcodes():
        if how == "equal":
            found += after[first:last]
            continue
        left = list(before[start:stop])
        for box in after[first:last]:
            found.append(replace(box, change="new"))
            same = next((each for each in left if _alike(each, box)), None)
            if same is not None:  # changed, not gone
                left.remove(same)
        found += [replace(box, change="gone") for box in left]
    return tuple(found)


def _alike(one: Box, other: Box) -> bool:
    """Whether a box in the other's place is the same thing changed."""
    convolutions = ("k×k", "1×1", "depthwise")
    if one.kind in convolutions and other.kind in convolutions:
        return True
    return one.kind == other.kind and one.kind != "operation"


def _marked(before: BlockDiagram, after: BlockDiagram) -> BlockDiagram:
    return replace(
        after,
        branch=marked(before.branch, after.branch),
        shortcut=marked(before.shortcut, after.shortcut),
        after=marked(before.after, after.after),
    )


def plain(spec: Spec) -> Diagram:
    """The diagram of a spec, nothing marked."""
    network, planned = spec.network, _planned(spec)
    kinds = [repr(stage.block) for stage in network.stages]
    return Diagram(
        parts=tuple(_parts(spec, planned)),
        blocks=tuple(_block(planned, stages, shown) for stages, shown in _shared(network, kinds)),
    )


def _planned(spec: Spec) -> Plan:
    return plan(spec.network, spec.recipe.image_size)


def _shared(network: Network, kinds: Sequence[str]) -> Iterator[tuple[tuple[int, ...], int]]:
    """The stages (from 0) of each kind, and the one of them to show: one with two blocks or more.

    The second block of a stage shows the usual case: it neither strides nor widens.
    """
    for kind in dict.fromkeys(kinds):
        stages = tuple(place for place, each in enumerate(kinds) if each == kind)
        yield stages, next((each for each in stages if network.stages[each].depth > 1), stages[0])


def _block(planned: Plan, stages: Sequence[int], shown: int) -> BlockDiagram:
    block = planned.stages[shown].blocks[-1]
    return BlockDiagram(
        stages=tuple(each + 1 for each in stages),
        incoming=_shape(block.branch[0].inputs),
        branch=tuple(map(box, block.branch)),
        shortcut=tuple(map(box, block.shortcut)),
        after=tuple(map(box, block.activation)),
        outgoing=_shape(block.branch[-1].outputs),
    )


def _parts(spec: Spec, planned: Plan) -> Iterator[Box]:
    yield from map(box, planned.stem)
    for number, (stage, made) in enumerate(
        zip(spec.network.stages, planned.stages, strict=True), 1
    ):
        yield from map(box, made.downsampling)
        outputs = made.blocks[-1].branch[-1].outputs
        strides = number > 1 and not made.downsampling
        yield Box(
            kind="part",
            text=f"stage {number}: {stage.depth} block{'s' * (stage.depth > 1)}",
            detail=_shape(outputs) + (", stride 2" if strides else ""),
        )
    yield from (box(layer) for layer in planned.head if layer.kind != "flatten")
    yield from _recipe(spec.recipe, spec.network)


def _recipe(recipe: Recipe, network: Network) -> Iterator[Box]:
    """The recipe, and below it what makes it an enhanced one, two to a line."""
    optimizer = {"sgd": "SGD", "adamw": "AdamW"}[recipe.optimizer]
    yield Box(
        kind="part",
        text=f"recipe: {optimizer}, {recipe.epochs} epoch{'s' * (recipe.epochs > 1)}",
        detail=f"batch {recipe.batch}, {recipe.image_size} px",
    )
    named = {
        "mixup": recipe.mixup,
        "cutmix": recipe.cutmix,
        "RandAugment": recipe.randaugment,
        "erasing": recipe.erasing,
        f"drop path {network.drop_path:g}": network.drop_path,
        "EMA": recipe.ema,
    }
    found = [name for name, given in named.items() if given]
    for start in range(0, len(found), 2):
        yield Box(kind="activation", text=", ".join(found[start : start + 2]))


def box(layer: Layer) -> Box:
    """A layer as a box."""
    if layer.kind == "convolution":
        return _convolution(layer)
    if layer.kind == "linear":
        detail = f"{layer.inputs[0]} → {layer.outputs[0]}"
        return Box(kind="part", text="linear", detail=detail)
    if layer.kind == "max_pool":
        text = f"max-pool {layer.kernel}×{layer.kernel}, stride {layer.stride}"
        return Box(kind="activation", text=text)
    if layer.kind == "operation":
        given = ", ".join(f"{name} {each}" for name, each in layer.operation.parameters.items())
        name, channels = layer.operation.operation, layer.outputs[0]
        return Box(kind="operation", text=name, detail=given, channels=channels)
    kind = "norm" if layer.kind.endswith("_norm") or layer.kind == "layer_scale" else "activation"
    return Box(kind=kind, text=NAMES[layer.kind])


def convolution_kind(layer: Layer) -> str:
    """`depthwise`, `k×k` or `1×1`."""
    if layer.groups > 1:
        return "depthwise"
    return "k×k" if layer.kernel > 1 else "1×1"


def _convolution(layer: Layer) -> Box:
    channels = f"{layer.inputs[0]} → {layer.outputs[0]}"
    groups = f", groups {layer.groups}" if layer.groups > 1 else ""
    stride = f", stride {layer.stride}" if layer.stride > 1 else ""
    kernel = f"{layer.kernel}×{layer.kernel}"
    kind = convolution_kind(layer)
    return Box(
        kind=kind,
        text=kernel + (" depthwise" if kind == "depthwise" else "") + stride,
        detail=channels + groups,
        channels=layer.outputs[0],
    )


def _shape(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"{channels} × {height} × {width}"
