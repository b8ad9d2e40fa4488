"""Changed copies of specs, for the steps: by predicate, never by index.

A step says which units it means ("the spatial one", "every norm"), so that it composes with other
steps in any order that makes sense.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import Any, TypeGuard, TypeVar

import pydantic

from roadmap.errors import StepError, quoted
from roadmap.spec import Block, Convolution, Network, Parallel, Spec, Unit, problem_of

T = TypeVar("T")


def replace(thing: T, /, **changes: Any) -> T:
    """Return a changed, validated copy, like `dataclasses.replace`, with errors as Problems."""
    try:
        return dataclasses.replace(thing, **changes)  # type: ignore[type-var]  # T is a dataclass
    except pydantic.ValidationError as error:
        raise problem_of(error, type(thing)) from None


def network_of(spec: Spec) -> Network:
    """Return the spec's network; a StepError if it is one of timm's, which steps cannot edit."""
    if not isinstance(spec.network, Network):
        raise StepError(f"timm:{spec.network.timm} has no spec that a step could change")
    return spec.network


def edit_blocks(
    spec: Spec, change: Callable[[Block], Block], *, stages: Collection[int] | None = None
) -> Spec:
    """Return a copy of the spec with `change` applied to the block of every stage.

    `stages` are the positions of the only stages to change, from 0, as in `network.stages.0.depth`.
    Raises StepError for a position that does not exist.
    """
    all_of_them = network_of(spec).stages
    for place in stages or ():
        if place not in range(len(all_of_them)):
            valid = ", ".join(map(str, range(len(all_of_them))))
            raise StepError(f"the network has no stage {quoted(place)}; valid: {valid}")
    made = (
        replace(stage, block=change(stage.block)) if stages is None or place in stages else stage
        for place, stage in enumerate(all_of_them)
    )
    return edit_network(spec, stages=tuple(made))


def edit_units(
    spec: Spec,
    where: Callable[[Unit], bool],
    *,
    stages: Collection[int] | None = None,
    **changes: Any,
) -> Spec:
    """Return a copy of the spec with fields changed in every unit for which `where(unit)` holds.

    With `stages=(2, 3)` only in the third and the fourth stage; see `edit_blocks`.
    """

    def change(block: Block) -> Block:
        units = (replace(unit, **changes) if where(unit) else unit for unit in block.units)
        return replace(block, units=tuple(units))

    return edit_blocks(spec, change, stages=stages)


def insert_after(
    spec: Spec,
    where: Callable[[Unit], bool],
    unit: Unit,
    *,
    stages: Collection[int] | None = None,
) -> Spec:
    """Return a copy of the spec with `unit` after every unit for which `where` holds.

    `stages` are the only stages to change; see `edit_blocks`.
    """

    def change(block: Block) -> Block:
        pairs = ((other, unit) if where(other) else (other,) for other in block.units)
        return replace(block, units=tuple(chain.from_iterable(pairs)))

    return edit_blocks(spec, change, stages=stages)


def edit_network(spec: Spec, **changes: Any) -> Spec:
    """Return a copy of the spec with fields of its network changed."""
    return replace(spec, network=replace(spec.network, **changes))


def units(spec: Spec) -> Iterator[Unit]:
    """Give every unit of every stage's block."""
    return (unit for stage in network_of(spec).stages for unit in stage.block.units)


def is_convolution(unit: Unit) -> TypeGuard[Convolution]:
    """Return True for a convolution unit of any kernel."""
    return isinstance(unit, Convolution)


def has_norm(unit: Unit) -> TypeGuard[Convolution | Parallel]:
    """Return True for a unit that can have a norm and an activation."""
    return isinstance(unit, Convolution | Parallel)


def is_spatial(unit: Unit) -> TypeGuard[Convolution]:
    """Return True for a convolution that looks at more than one position."""
    return isinstance(unit, Convolution) and unit.kernel > 1


def is_depthwise(unit: Unit) -> TypeGuard[Convolution]:
    """Return True for a convolution with one group per channel."""
    return isinstance(unit, Convolution) and unit.depthwise


def is_pointwise(unit: Unit) -> TypeGuard[Convolution]:
    """Return True for a 1×1 convolution over all channels."""
    return isinstance(unit, Convolution) and unit.kernel == 1 and not unit.depthwise
