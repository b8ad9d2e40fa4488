"""Changed copies of specs, for the steps: by predicate, never by index.

A step says which units it means ("the spatial one", "every norm"), so that it composes with others
in any order that makes sense.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pydantic

from roadmap.spec import Block, Convolution, Spec, Unit, problem_of


def replace(thing: Any, /, **changes: Any) -> Any:
    """`dataclasses.replace` whose errors are Problems: a changed, validated copy."""
    try:
        return dataclasses.replace(thing, **changes)
    except pydantic.ValidationError as error:
        raise problem_of(error, type(thing)) from None


def edit_blocks(spec: Spec, change: Callable[[Block], Block]) -> Spec:
    """A copy of the spec with `change` applied to the block of every stage."""
    stages = tuple(replace(stage, block=change(stage.block)) for stage in spec.network.stages)
    return edit_network(spec, stages=stages)


def edit_units(spec: Spec, where: Callable[[Unit], bool], **changes: Any) -> Spec:
    """A copy of the spec with fields changed in every unit for which `where(unit)` holds."""

    def change(block: Block) -> Block:
        units = (replace(unit, **changes) if where(unit) else unit for unit in block.units)
        return replace(block, units=tuple(units))

    return edit_blocks(spec, change)


def insert_after(spec: Spec, where: Callable[[Unit], bool], unit: Unit) -> Spec:
    """A copy of the spec with `unit` put behind every unit for which `where` holds."""

    def change(block: Block) -> Block:
        pairs = ((each, unit) if where(each) else (each,) for each in block.units)
        return replace(block, units=tuple(each for pair in pairs for each in pair))

    return edit_blocks(spec, change)


def edit_network(spec: Spec, **changes: Any) -> Spec:
    """A copy of the spec with fields of its network changed."""
    return replace(spec, network=replace(spec.network, **changes))


def units(spec: Spec) -> Iterator[Unit]:
    """Every unit of every stage's block."""
    return (unit for stage in spec.network.stages for unit in stage.block.units)


def is_convolution(unit: Unit) -> bool:
    """True for a convolution unit of any kernel."""
    return isinstance(unit, Convolution)


def is_spatial(unit: Unit) -> bool:
    """True for a convolution that looks at more than one position."""
    return isinstance(unit, Convolution) and unit.kernel > 1


def is_depthwise(unit: Unit) -> bool:
    """True for a convolution with one group per channel."""
    return isinstance(unit, Convolution) and unit.depthwise


def is_pointwise(unit: Unit) -> bool:
    """True for a 1×1 convolution over all channels."""
    return isinstance(unit, Convolution) and unit.kernel == 1 and not unit.depthwise
