"""Changed copies of specs, for the steps: by predicate, never by index.

A step says which units it means ("the spatial one", "every norm"), so that it composes with others
in any order that makes sense.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import pydantic

from roadmap.errors import Problem, unknown
from roadmap.spec import Block, Convolution, Spec, Unit, from_dict, problem_of


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


def override(spec: Spec, settings: Mapping[str, Any]) -> Spec:
    """A copy with fields set by dotted key, as in `{"recipe.epochs": 3}`; typed and validated.

    All are set before the whole is validated, so that their order does not matter. Warm-up and
    steps of the learning rate keep their share of the run when only `recipe.epochs` is set.
    """
    if isinstance(epochs := settings.get("recipe.epochs"), int):
        share = epochs / spec.recipe.epochs
        scaled = {
            "recipe.warmup_epochs": spec.recipe.warmup_epochs * share,
            "recipe.step_epochs": spec.recipe.step_epochs * share,
        }
        if epochs > 0:
            settings = scaled | dict(settings)
    return _override(spec, {key: (key.split("."), data) for key, data in settings.items()}, "")


def _override(thing: Any, settings: dict[str, tuple[list[str], Any]], prefix: str) -> Any:
    fields = getattr(type(thing), "__pydantic_fields__", None)
    if fields is None:
        where, key = prefix.rstrip("."), next(iter(settings))
        raise Problem(f"{key} cannot be set: {where} is no set of named values in this row")
    changes: dict[str, Any] = {}
    deeper: dict[str, dict[str, tuple[list[str], Any]]] = {}
    for key, (path, data) in settings.items():
        if path[0] not in fields:
            whose = f"field of {prefix.rstrip('.')}" if prefix else "field"
            raise unknown(whose, path[0], fields)
        if len(path) > 1:
            deeper.setdefault(path[0], {})[key] = (path[1:], data)
        else:
            changes[path[0]] = _typed(thing, key, path[0], fields[path[0]], data)
    for name, inner in deeper.items():
        changes[name] = _override(getattr(thing, name), inner, f"{prefix}{name}.")
    try:
        return replace(thing, **changes)
    except Problem as problem:
        raise Problem(f"{prefix}{problem}") from None


def _typed(thing: Any, key: str, name: str, field: Any, data: Any) -> Any:
    current = getattr(thing, name)
    if dataclasses.is_dataclass(current):
        choices = [f"{key}.{each.name}" for each in dataclasses.fields(current)]
        raise Problem(f"{key} is not one value; set one of: {', '.join(choices)}")
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        return from_dict(kind, data)
    except Problem as problem:
        raise Problem(f"{key}: {problem}") from None
