"""Specs as text for people: one line per fact, and the difference of two specs in those lines."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator

from roadmap.override import unused
from roadmap.spec import Block, Convolution, Network, Recipe, Reference, Spec, Stem, Unit

# Fields that training from random weights rarely sets: they are shown only if they are set.
FINE_TUNING = ("layer_decay", "head_init_scale", "freeze")


def lines(thing: Spec | Network | Reference | Recipe) -> list[str]:
    """Return a spec or a part of one, one line per fact, without what is None or turned off."""
    if isinstance(thing, Spec):
        start = [f"weights: {thing.weights}"] if thing.weights else []
        return lines(thing.network) + lines(thing.recipe) + start
    if isinstance(thing, Reference):
        return [f"network: timm {thing.timm}"]
    return list(_network(thing) if isinstance(thing, Network) else _recipe(thing))


def difference(before: Spec, after: Spec) -> list[str]:
    """Return the lines in which two specs differ: `- ` before, `+ ` after."""
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
    """Return one unit as a line: `7×7 depthwise, same width, layer norm, gelu`."""
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
        if data is not None and not (field.name in FINE_TUNING and data == field.default):
            yield f"recipe.{field.name}: {_shown(data)}"


def _shown(data: object) -> str:
    """Return a value in the form that `--set` takes."""
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, tuple):
        return f"[{', '.join(map(_shown, data))}]"
    return f"{data:g}" if isinstance(data, float) else str(data)


def meaningful(spec: Spec) -> list[str]:
    """Return the lines of a spec without fields of the recipe that have no effect."""
    without = tuple(f"{key}:" for key in unused(spec.recipe))
    return [line for line in lines(spec) if not line.startswith(without)]


def _joined(*parts: str | bool | None) -> str:
    """Join those parts that say something with commas."""
    return ", ".join(part for part in parts if isinstance(part, str))
