"""--set: fields by dotted key."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from roadmap.edit import replace
from roadmap.errors import Problem, unknown
from roadmap.spec import Recipe, Spec, from_dict


def override(spec: Spec, settings: Mapping[str, Any]) -> Spec:
    """A copy with fields set by dotted key, as in `{"recipe.epochs": 3}`; typed and validated.

    All are set before the whole is validated, so that their order does not matter. Warm-up and
    steps of the learning rate keep their share of the run when only `recipe.epochs` is set. Parts
    that there are several of are named by place or all at once: `network.stages.0.depth`,
    `network.stages.all.block.expansion`. Raises Problem for a field without effect in this spec.
    """
    made, taken = override_where_used(spec, settings)
    for key in settings:
        if key not in taken:
            raise idle(spec, settings, key)
    return made


def override_where_used(spec: Spec, settings: Mapping[str, Any]) -> tuple[Spec, set[str]]:
    """The same, passing over what has no effect on this spec; and the keys of what has."""
    reached = {key: data for key, data in settings.items() if _lacking(spec, key) is None}
    made = _set(spec, reached)
    without = unused(made.recipe)
    taken = {key: data for key, data in reached.items() if key not in without}
    return made if len(taken) == len(reached) else _set(spec, taken), set(taken)


def unused(recipe: Recipe) -> dict[str, str]:
    """The fields that a recipe makes no use of, by dotted key, and which other field is why."""
    found = {}
    found["betas" if recipe.optimizer == "sgd" else "momentum"] = "optimizer"
    found |= dict.fromkeys(
        ("step_epochs", "step_factor") if recipe.schedule == "cosine" else ("final_learning_rate",),
        "schedule",
    )
    if not (recipe.mixup and recipe.cutmix):
        found["mixup_switch"] = "cutmix" if recipe.mixup else "mixup"
    return {
        f"recipe.{field}": f"recipe.{why} is {getattr(recipe, why)!r}"
        for field, why in found.items()
    }


def idle(spec: Spec, settings: Mapping[str, Any], key: str) -> Problem:
    """The problem that one of the settings has no effect on this spec, and why."""
    if (lacking := _lacking(spec, key)) is not None:
        why = f"{lacking} is null"
    else:
        reached = {each: data for each, data in settings.items() if _lacking(spec, each) is None}
        why = unused(_set(spec, reached).recipe)[key]
    return Problem(f"{key} has no effect here: {why}")


def _lacking(thing: Any, key: str) -> str | None:
    """The part on the way to a key that this thing does not have; None where all are there."""
    way: list[str] = []
    for name in key.split(".")[:-1]:
        way.append(name)
        if isinstance(thing, tuple):
            thing = thing[int(name)] if name.isdecimal() and int(name) < len(thing) else thing[0]
        else:
            thing = getattr(thing, name, thing)
        if thing is None:
            return ".".join(way)
    return None


def _set(spec: Spec, settings: Mapping[str, Any]) -> Spec:
    if isinstance(epochs := settings.get("recipe.epochs"), int):
        share = epochs / spec.recipe.epochs
        scaled = {
            "recipe.warmup_epochs": spec.recipe.warmup_epochs * share,
            "recipe.step_epochs": spec.recipe.step_epochs * share,
        }
        if epochs > 0:
            settings = scaled | dict(settings)
    return _override(spec, {key: (key.split("."), data) for key, data in settings.items()}, "")


Settings = dict[str, tuple[list[str], Any]]  # by whole key: the rest of the way to it, the value


def _override(thing: Any, settings: Settings, prefix: str) -> Any:
    if isinstance(thing, tuple):
        return _override_each(thing, settings, prefix)
    fields = getattr(type(thing), "__pydantic_fields__", None)
    if fields is None:
        where, key = prefix.rstrip("."), next(iter(settings))
        raise Problem(f"{key} cannot be set: {where} is one value")
    changes: dict[str, Any] = {}
    deeper: dict[str, Settings] = {}
    for key, (path, data) in settings.items():
        if path[0] not in fields:
            whose = f"field of {prefix.rstrip('.')}" if prefix else "field"
            raise unknown(whose, path[0], fields)
        if len(path) > 1:
            deeper.setdefault(path[0], {})[key] = (path[1:], data)
        else:
            changes[path[0]] = _typed(thing, key, path[0], fields[path[0]], data)
    for name, inner in deeper.items():
        if name in changes:
            raise Problem(f"{prefix}{name} is set as a whole, and {next(iter(inner))} besides")
        changes[name] = _override(getattr(thing, name), inner, f"{prefix}{name}.")
    try:
        return replace(thing, **changes)
    except Problem as problem:
        raise Problem(f"{prefix}{problem}") from None


def _override_each(parts: tuple, settings: Settings, prefix: str) -> tuple:
    """Parts in order, such as stages: first what is for `all`, then for one by its place from 0."""
    made = list(parts)
    for key, (path, data) in sorted(settings.items(), key=lambda each: each[1][0][0] != "all"):
        places = range(len(parts)) if path[0] == "all" else [path[0]]
        for place in map(str, places):
            if not place.isdecimal() or int(place) >= len(parts) or len(path) == 1:
                choices = ", ".join([*map(str, range(len(parts))), "all"])
                where = prefix.rstrip(".")
                raise Problem(f"{key} cannot be set: {where} takes a place ({choices}) and a field")
            inner = {key: (path[1:], data)}
            made[int(place)] = _override(made[int(place)], inner, f"{prefix}{place}.")
    return tuple(made)


def _typed(thing: Any, key: str, name: str, field: Any, data: Any) -> Any:
    current = getattr(thing, name)
    if dataclasses.is_dataclass(current) and data is not None and not isinstance(data, dict):
        choices = [f"{key}.{each.name}" for each in dataclasses.fields(current)]
        raise Problem(f"{key} is not one value; set one of: {', '.join(choices)}")
    if isinstance(current, tuple) and any(map(dataclasses.is_dataclass, current)):
        raise Problem(f"{key} is not one value; set a field of one ({key}.0.…) or of {key}.all.…")
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        return from_dict(kind, data)
    except Problem as problem:
        raise Problem(f"{key}: {problem}") from None
