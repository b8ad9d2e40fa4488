"""A row's network as boxes for a diagram, with what differs from the row before.

Boxes come from the plan, so a diagram shows what is built and costed, for any spec.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from analysis.figures.layer_boxes import Box, box
from roadmap.optimizers import title
from roadmap.plan import Plan, plan
from roadmap.rows import Row
from roadmap.spec import Network, Recipe, Spec, Stage


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
        """Whether anything in it is new or gone compared with the row before."""
        return any(box.change for box in (*self.branch, *self.shortcut, *self.after))

    @property
    def where(self) -> str:
        """Its stages in words, as in `stage 2` or `stages 1, 3`."""
        numbers = ", ".join(map(str, self.stages))
        return f"stage{'s' * (len(self.stages) > 1)} {numbers}"


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """A row's network: its parts from stem to head and its recipe, and its different blocks."""

    parts: tuple[Box, ...]
    blocks: tuple[BlockDiagram, ...]


def diagram(row: Row) -> Diagram:
    """Return the diagram of a row, with what changed from the row before marked.

    Stages share a block if both rows have the same block in all of them.
    """
    if row.before is None:
        return plain(row.spec)
    spec, before = row.spec, row.before.spec
    own, old = _planned(spec), _planned(before)
    stages = _network(spec).stages
    kinds = [repr(stage.block) for stage in stages]
    for place, stage in enumerate(_network(before).stages[: len(kinds)]):
        kinds[place] += repr(stage.block)
    blocks = []
    for members, shown in _shared(stages, kinds):
        block = _block(own, members, shown)
        if shown < len(old.stages):
            block = _marked(_block(old, members, shown), block)
        blocks.append(block)
    parts = marked(tuple(_parts(before, old)), tuple(_parts(spec, own)))
    return Diagram(parts=parts, blocks=tuple(blocks))


def marked(before: Sequence[Box], after: Sequence[Box]) -> tuple[Box, ...]:
    """Return the boxes after a change: new ones marked, removed ones in their old place.

    If both have the same kinds in the same order, each box is compared with its own.
    """
    if [box.kind for box in before] == [box.kind for box in after]:
        pairs = zip(before, after, strict=True)
        return tuple(box if box == old else replace(box, change="new") for old, box in pairs)
    boxes: list[Box] = []
    compared = SequenceMatcher(None, before, after, autojunk=False)
    for how, start, stop, first, last in compared.get_opcodes():
        if how == "equal":
            boxes += after[first:last]
            continue
        left = list(before[start:stop])
        for new in after[first:last]:
            boxes.append(replace(new, change="new"))
            same = next((old for old in left if _alike(old, new)), None)
            if same is not None:  # changed, not gone
                left.remove(same)
        boxes += [replace(box, change="gone") for box in left]
    return tuple(boxes)


def _alike(one: Box, other: Box) -> bool:
    """Whether one box in place of the other is a change, not a new thing."""
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
    """Return the diagram of a spec, nothing marked."""
    stages, planned = _network(spec).stages, _planned(spec)
    kinds = [repr(stage.block) for stage in stages]
    return Diagram(
        parts=tuple(_parts(spec, planned)),
        blocks=tuple(_block(planned, members, shown) for members, shown in _shared(stages, kinds)),
    )


def _network(spec: Spec) -> Network:
    """Return the network of a row's spec, which is never a timm model's."""
    assert isinstance(spec.network, Network)
    return spec.network


def _planned(spec: Spec) -> Plan:
    return plan(_network(spec), spec.recipe.image_size)


def _shared(stages: Sequence[Stage], kinds: Sequence[str]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Return the stages (from 0) of each kind, and the one to show: one with two blocks or more.

    The second block of a stage shows the usual case: it does not stride and does not widen.
    """
    for kind in dict.fromkeys(kinds):
        members = tuple(place for place, one in enumerate(kinds) if one == kind)
        yield members, next((place for place in members if stages[place].depth > 1), members[0])


def _block(planned: Plan, stages: Sequence[int], shown: int) -> BlockDiagram:
    block = planned.stages[shown].blocks[-1]
    return BlockDiagram(
        stages=tuple(place + 1 for place in stages),
        incoming=_shape(block.branch[0].inputs),
        branch=tuple(map(box, block.branch)),
        shortcut=tuple(map(box, block.shortcut)),
        after=tuple(map(box, block.activation)),
        outgoing=_shape(block.branch[-1].outputs),
    )


def _parts(spec: Spec, planned: Plan) -> Iterator[Box]:
    yield from map(box, planned.stem)
    for number, (stage, made) in enumerate(
        zip(_network(spec).stages, planned.stages, strict=True), 1
    ):
        yield from map(box, made.downsampling)
        outputs = made.blocks[-1].branch[-1].outputs
        side = made.blocks[0].branch[0].inputs[1]
        strides = outputs[1] < side
        yield Box(
            kind="part",
            text=f"stage {number}: {stage.depth} block{'s' * (stage.depth > 1)}",
            detail=_shape(outputs) + (f", stride {-(-side // outputs[1])}" if strides else ""),
        )
    yield from (box(layer) for layer in planned.head if layer.kind != "flatten")
    yield from _recipe(spec.recipe, _network(spec))


def _recipe(recipe: Recipe, network: Network) -> Iterator[Box]:
    """Yield the recipe, and below it its augmentation and regularization, two to a line."""
    optimizer = title(recipe.optimizer)
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
    used = [name for name, setting in named.items() if setting]
    for start in range(0, len(used), 2):
        yield Box(kind="activation", text=", ".join(used[start : start + 2]))


def _shape(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"{channels} × {height} × {width}"
