"""Specs as text for people: one line per fact, and the difference of two specs in those lines."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from fractions import Fraction

from roadmap.override import unused
from roadmap.plan import stride_of
from roadmap.spec import (
    Block,
    Convolution,
    Network,
    Parallel,
    Recipe,
    Reference,
    ResponseNorm,
    Spec,
    SqueezeExcitation,
    Stem,
    StemConvolution,
    Unit,
)

# Fields that training from random weights rarely sets: they are shown only if they are set.
FINE_TUNING = (
    "layer_decay", "head_init_scale", "freeze", "no_decay", "loss", "repeats", "color_jitter",
    "milestones", "power",
)  # fmt: skip


def lines(thing: Spec | Network | Reference | Recipe) -> list[str]:
    """Return a spec or a part of one, one line per fact, without what is None or turned off."""
    if isinstance(thing, Spec):
        start = [f"weights: {thing.weights}"] if thing.weights else []
        return lines(thing.network) + lines(thing.recipe) + start
    if isinstance(thing, Reference):
        return [f"network: timm {thing.timm}"]
    return list(_network(thing) if isinstance(thing, Network) else _recipe(thing))


def difference(before: Spec, after: Spec) -> list[str]:
    """Return the lines in which two specs differ: `- ` before, `+ ` after.

    If blocks differ between stages, a change of blocks is one line for all stages that have it, as
    in `  stages 3, 4: + se after unit 1`.
    """
    by_stage = _by_stage(before, after)
    old, new = lines(before), lines(after)
    if by_stage is not None:
        old, new = ([line for line in side if not _is_block(line)] for side in (old, new))
    compared = difflib.ndiff(old, new)
    return [line for line in compared if line[0] in "+-"] + (by_stage or [])


def _is_block(line: str) -> bool:
    return line.startswith(("block,", "block of "))


def _by_stage(before: Spec, after: Spec) -> list[str] | None:
    """Return the changes of blocks by stage; None if one block is in all stages of both specs."""
    sides = [spec.network for spec in (before, after)]
    stages = [side.stages for side in sides if isinstance(side, Network)]
    if len(stages) < 2 or len(stages[0]) != len(stages[1]):
        return None
    if all(stage.block == side[0].block for side in stages for stage in side):
        return None
    places: dict[str, list[int]] = {}
    for place, (old, new) in enumerate(zip(*stages, strict=True), start=1):
        for change in block_changes(old.block, new.block):
            places.setdefault(change, []).append(place)
    return [f"  {in_words(where)}: {change}" for change, where in places.items()]


def in_words(stages: Sequence[int]) -> str:
    """Return stages, counted from 1, in words: `stage 2`, `stages 3, 4`."""
    return f"stage{'s' * (len(stages) > 1)} {', '.join(map(str, stages))}"


def block_changes(before: Block, after: Block) -> Iterator[str]:
    """Give the changes from one block to another, as in `+ se after unit 1`, `- se (unit 2)`."""
    old, new = ([describe(unit) for unit in block.units] for block in (before, after))
    matched = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for how, start, stop, first, last in matched.get_opcodes():
        if how == "equal":
            continue
        pairs = min(stop - start, last - first)
        for number in range(pairs):
            yield f"unit {start + number + 1}: {old[start + number]} → {new[first + number]}"
        for number in range(start + pairs, stop):
            yield f"- {old[number]} (unit {number + 1})"
        for number in range(first + pairs, last):
            where = f"after unit {start + pairs}" if start + pairs else "first"
            yield f"+ {new[number]} {where}"
    rest, changed = (list(_block("", block))[len(block.units) :] for block in (before, after))
    for line in difflib.ndiff(rest, changed):
        if line[0] in "+-":
            yield line.replace(" , ", " ", 1)


def _network(network: Network) -> Iterator[str]:
    stages = network.stages
    for number, unit in enumerate(network.stem.before, start=1):
        yield f"stem, convolution {number}: {_before(unit)}"
    yield f"stem: {_stem(network.stem)}"
    yield "depths: " + ", ".join(str(stage.depth) for stage in stages)
    yield "widths: " + ", ".join(str(stage.width) for stage in stages)
    if any(stage.stride is not None for stage in stages):
        strides = (stride_of(network, index) for index in range(len(stages)))
        yield "strides: " + ", ".join(map(str, strides))
    if any(stage.stride_in == "last" for stage in stages):
        yield "strided block: " + ", ".join(stage.stride_in for stage in stages)
    if all(stage.block == stages[0].block for stage in stages):
        yield from _block("block", stages[0].block)
    else:
        blocks = [stage.block for stage in stages]
        for place, block in enumerate(blocks):
            if block not in blocks[:place]:
                places = [number for number, other in enumerate(blocks, 1) if other == block]
                yield from _block(f"block of {in_words(places)}", block)
    if network.downsampling is None:
        yield "downsampling: in the first block of a stage"
    else:
        between = network.downsampling
        kernel = f"{between.kernel}×{between.kernel} stride 2"
        yield "downsampling: between stages, " + _joined(
            (between.norm and f"{between.norm} norm, then {kernel}") or kernel,
            between.bias and "bias",
        )
    mlp = network.head_mlp
    yield "head: " + _joined(
        "global average pool",
        network.head_norm and f"{network.head_norm} norm",
        mlp is not None and f"linear to {mlp.expansion} × as many",
        mlp is not None and mlp.activation,
        mlp is not None and mlp.norm is not None and f"{mlp.norm} norm",
        bool(network.head_dropout) and f"dropout {network.head_dropout:g}",
        "linear",
    )
    if network.layer_scale is not None:
        yield f"layer scale: from {network.layer_scale:g}"
    yield f"drop path: {network.drop_path:g}"
    yield f"initialization: {network.initialization.replace('_', ' ')}"
    yield f"classes: {network.classes}"


def _before(unit: StemConvolution) -> str:
    return _joined(
        f"{unit.kernel}×{unit.kernel} stride {unit.stride}",
        unit.share != 1 and f"to {_share(unit.share)} of the width",
        unit.bias and "bias",
        unit.norm and f"{unit.norm} norm",
        unit.activation,
    )


def _share(share: float) -> str:
    """Return a share as a fraction, as in 3/8."""
    return str(Fraction(share).limit_denominator(1000))


def _stem(stem: Stem) -> str:
    return _joined(
        f"{stem.kernel}×{stem.kernel} stride {stem.stride}",
        stem.bias and "bias",
        stem.norm and f"{stem.norm} norm",
        stem.activation,
        stem.max_pool and "max-pool",
        stem.final_norm and f"{stem.final_norm} norm at its end",
    )


def _block(name: str, block: Block) -> Iterator[str]:
    for number, unit in enumerate(block.units, start=1):
        yield f"{name}, unit {number}: {describe(unit)}"
    shortcut = block.shortcut_norm and f"{block.shortcut_norm} norm"
    bias = block.shortcut_bias and "bias"
    projection = "1×1" if block.shortcut == "projection" else "average pool where it strides, 1×1"
    yield f"{name}, shortcut where the shape changes: " + _joined(projection, bias, shortcut)
    if block.stride_at == "first":
        yield f"{name}, stride: at the first convolution"
    yield f"{name}, after the addition: {block.activation or 'nothing'}"
    if block.expansion != 4:
        yield f"{name}, wide is {block.expansion} × narrow"


def describe(unit: Unit) -> str:
    """Return one unit as a line: `7×7 depthwise, same width, layer norm, gelu`."""
    if isinstance(unit, ResponseNorm):
        return "global response norm"
    if isinstance(unit, SqueezeExcitation):
        return f"squeeze-and-excitation through {_share(unit.squeeze)} of the channels"
    if isinstance(unit, Parallel):
        kernels = ((*branch.size, _share(branch.share)) for branch in unit.branches)
        return _joined(
            *(f"{rows}×{columns} depthwise on {share}" for rows, columns, share in kernels),
            unit.bias and "bias",
            unit.norm and f"{unit.norm} norm",
            unit.activation,
        )
    if not isinstance(unit, Convolution):
        given = ", ".join(f"{name} {data}" for name, data in unit.parameters.items())
        return f"{unit.operation}" + (f" ({given})" if given else "")
    kind = " depthwise" if unit.depthwise else ""
    return _joined(
        f"{unit.kernel}×{unit.kernel}{kind}",
        "same width" if unit.width == "same" else f"to {unit.width}",
        unit.bias and "bias",
        unit.norm and f"{unit.norm} norm",
        unit.activation,
    )


def _recipe(recipe: Recipe) -> Iterator[str]:
    for field in dataclasses.fields(recipe):
        data = getattr(recipe, field.name)
        if data is None or (field.name in FINE_TUNING and data == field.default):
            continue
        if dataclasses.is_dataclass(data):
            for part in dataclasses.fields(data):
                yield f"recipe.{field.name}.{part.name}: {_shown(getattr(data, part.name))}"
        else:
            yield f"recipe.{field.name}: {_shown(data)}"


def _shown(data: object) -> str:
    """Return a value in the form that `--set` takes."""
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, tuple):
        return f"[{', '.join(map(_shown, data))}]"
    if isinstance(data, dict):
        return f"{{{', '.join(f'{name}: {_shown(value)}' for name, value in data.items())}}}"
    return f"{data:g}" if isinstance(data, float) else str(data)


def meaningful(spec: Spec) -> list[str]:
    """Return the lines of a spec without fields of the recipe that have no effect."""
    without = tuple(f"{key}:" for key in unused(spec.recipe))
    return [line for line in lines(spec) if not line.startswith(without)]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 run`, `2,000 runs`; `class` becomes `classes`."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def _joined(*parts: str | bool | None) -> str:
    """Join those parts that say something with commas."""
    return ", ".join(part for part in parts if isinstance(part, str))
