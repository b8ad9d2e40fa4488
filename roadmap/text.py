"""Specs for people: one line per fact, and the difference between two specs in those lines."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator

from roadmap.spec import Block, Convolution, Network, Recipe, Reference, Spec, Stem, Unit


def lines(thing: Spec | Network | Reference | Recipe) -> list[str]:
    """A spec or a part of one, a line per fact; what says nothing (None, off) is left out."""
    if isinstance(thing, Spec):
        return lines(thing.network) + lines(thing.recipe)
    if isinstance(thing, Reference):
        return [f"network: timm {thing.timm}"]
    return list(_network(thing) if isinstance(thing, Network) else _recipe(thing))


def difference(before: Spec, after: Spec) -> list[str]:
    """The lines in which two specs differ: `- ` as it was before, `+ ` as it is after."""
    compared = difflib.ndiff(lines(before), lines(after))
    return [line for line in compared if line[0] in "+-"]


def _network(network: Network) -> Iterator[str]:
    stages = network.stages
    yield f"stem: {_stem(network.stem)}"
    yield "depths: " + ", ".join(str(stage.depth) for stage in stages)
    yield "widths: " + ", ".join(str(stage.width) for stage in stages)
    if all(stage.block == stages[0].block for stage in stages):
        yield from _block("block", stages[0].block)
    else:
        for number, stage in enumerate(stages, start=1):
            yield from _block(f"block of stage {number}", stage.block)
    if network.downsampling is None:
        yield "downsampling: in the first block of a stage"
    else:
        between = network.downsampling
        kernel = f"{between.kernel}×{between.kernel} stride 2"
        yield "downsampling: between stages, " + _joined(
            (between.norm and f"{between.norm} norm, then {kernel}") or kernel,
            between.bias and "bias",
        )
    yield "head: " + _joined(
        "global average pool", network.head_norm and f"{network.head_norm} norm", "linear"
    )
    if network.layer_scale is not None:
        yield f"layer scale: from {network.layer_scale:g}"
    yield f"drop path: {network.drop_path:g}"
    yield f"initialization: {network.initialization.replace('_', ' ')}"
    yield f"classes: {network.classes}"


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
    yield f"{name}, shortcut where the shape changes: " + _joined("1×1", shortcut)
    yield f"{name}, after the addition: {block.activation or 'nothing'}"
    if block.expansion != 4:
        yield f"{name}, wide is {block.expansion} × narrow"


def describe(unit: Unit) -> str:
    """One unit in a line: `7×7 depthwise, same width, layer norm, gelu`."""
    if not isinstance(unit, Convolution):
        given = ", ".join(f"{name} {each}" for name, each in unit.parameters.items())
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
        found = getattr(recipe, field.name)
        if found is not None:
            yield f"recipe.{field.name}: {_shown(found)}"


def _shown(found: object) -> str:
    """A value as `--set` takes it."""
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, tuple):
        return f"[{', '.join(map(_shown, found))}]"
    return f"{found:g}" if isinstance(found, float) else str(found)


def meaningful(spec: Spec) -> list[str]:
    """The lines of a spec without those of the recipe that mean nothing beside the others."""
    unused = tuple(f"recipe.{name}:" for name in _unused(spec.recipe))
    return [line for line in lines(spec) if not line.startswith(unused)]


def _unused(recipe: Recipe) -> set[str]:
    unused = {"betas"} if recipe.optimizer == "sgd" else {"momentum"}
    unused |= (
        {"final_learning_rate"} if recipe.schedule == "step" else {"step_epochs", "step_factor"}
    )
    if not (recipe.mixup and recipe.cutmix):
        unused.add("mixup_switch")
    return unused


def _joined(*parts: str | bool | None) -> str:
    return ", ".join(part for part in parts if part)
