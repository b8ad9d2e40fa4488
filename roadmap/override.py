"""--set: fields of a spec set by dotted key."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Any, get_args

from roadmap.edit import replace
from roadmap.errors import Problem, shortened, unknown
from roadmap.spec import Recipe, Spec, Unit, from_dict
from roadmap.tasks import Detection

SCHEDULES = {
    "step_epochs": ("step",),
    "step_factor": ("step", "multistep"),
    "final_learning_rate": ("cosine", "poly"),
    "power": ("poly",),
}  # the schedules that use a field of a recipe
OF_CLASSIFICATION = (
    "label_smoothing",
    "mixup",
    "cutmix",
    "randaugment",
    "erasing",
    "crop_scale",
    "evaluation_crop",
    "head_init_scale",
    "sampling",
    "class_weights",
    "loss",
    "target_threshold",
    "repeats",
    "color_jitter",
    "evaluation_size",
)  # fields of a recipe that no other task uses
UNIT_FIELDS = {field.name for kind in get_args(Unit) for field in dataclasses.fields(kind)}


def override(spec: Spec, settings: Mapping[str, Any]) -> Spec:
    """Return a copy with fields set by dotted key, as in `{"recipe.epochs": 3}`; validated.

    All fields are set before the whole is validated, so that their order does not matter. If only
    `recipe.epochs` is set, warm-up and learning rate steps keep their share of the run. A part that
    occurs several times is named by its place or as `all`: `network.stages.0.depth`,
    `network.stages.all.block.expansion`. Raises Problem for a field without effect in this spec.
    """
    made, taken = override_where_used(spec, settings)
    for key in settings:
        if key not in taken:
            raise idle(spec, settings, key)
    return made


def override_where_used(spec: Spec, settings: Mapping[str, Any]) -> tuple[Spec, set[str]]:
    """Return the same without settings that have no effect, and the keys of the others.

    A whole recipe (key `recipe`) is set first, then the fields.
    """
    if "recipe" in settings:
        whole = _set(spec, {"recipe": settings["recipe"]})
        fields = {key: data for key, data in settings.items() if key != "recipe"}
        made, used = override_where_used(whole, fields)
        return made, {"recipe", *used}
    reached = {key: data for key, data in settings.items() if _lacking(spec, key) is None}
    made = _set(spec, reached)
    without = unused(made.recipe)
    taken = {key: data for key, data in reached.items() if key not in without}
    return made if len(taken) == len(reached) else _set(spec, taken), set(taken)


def unused(recipe: Recipe) -> dict[str, str]:
    """Return the fields that a recipe does not use, by dotted key, and the field that is why."""
    own = {"sgd": "momentum", "adamw": "betas"}.get(recipe.optimizer)
    reasons = {name: "optimizer" for name in ("momentum", "betas") if name != own}
    if recipe.loss == "cross_entropy":
        reasons["target_threshold"] = "loss"
    if recipe.randaugment:
        reasons["color_jitter"] = "randaugment"
    for name, schedules in SCHEDULES.items():
        if recipe.schedule not in schedules:
            reasons[name] = "schedule"
    if recipe.task is not None:
        reasons |= dict.fromkeys(OF_CLASSIFICATION, "task")
    if not (recipe.mixup or recipe.cutmix):
        reasons["mixup_per"] = "mixup"
    if not (recipe.mixup and recipe.cutmix):
        reasons["mixup_switch"] = "cutmix" if recipe.mixup else "mixup"
    values = {why: getattr(recipe, why) for why in reasons.values()} | {"task": recipe.task_name}
    made = {f"recipe.{field}": f"recipe.{why} is {values[why]!r}" for field, why in reasons.items()}
    return made | _unused_in_detection(recipe)


def _unused_in_detection(recipe: Recipe) -> dict[str, str]:
    task, made = recipe.task, {}
    if isinstance(task, Detection) and recipe.interpolation != "bilinear":
        made["recipe.interpolation"] = "detectors resize by 'bilinear'"
    if isinstance(task, Detection) and not task.has_masks:
        made["recipe.task.mask_convolutions"] = f"recipe.task.detection is {task.detection!r}"
    return made


def idle(spec: Spec, settings: Mapping[str, Any], key: str) -> Problem:
    """Return the problem that one of the settings has no effect on this spec, and why."""
    why = _lacking(spec, key)
    if why is None:
        reached = {name: data for name, data in settings.items() if _lacking(spec, name) is None}
        why = unused(_set(spec, reached).recipe)[key]
    return Problem(f"{key} has no effect here: {why}")


def _lacking(thing: Any, key: str) -> str | None:
    """Return which part on the way to a key does not exist, in words; None if all parts exist.

    A unit of another kind has no part that only a Parallel or a SqueezeExcitation has.
    """
    way: list[str] = []
    names = key.split(".")
    for name, after in pairwise(names):
        way.append(name)
        if isinstance(thing, tuple):
            thing = thing[int(name)] if name.isdecimal() and int(name) < len(thing) else thing[0]
        else:
            thing = getattr(thing, name, thing)
        if thing is None:
            return f"{'.'.join(way)} is null"
        if isinstance(thing, get_args(Unit)) and not hasattr(thing, after) and after in UNIT_FIELDS:
            return f"{'.'.join(way)} is another kind of unit"
    return None


def scaled_with_epochs(specs: Iterable[Spec], settings: Mapping[str, Any]) -> str:
    """Return in words which other fields `recipe.epochs` scales; empty if it scales none."""
    changes: dict[str, None] = {}
    for spec in specs:
        without = unused(spec.recipe)
        for key, value in _scaled(spec, settings).items():
            field = key.removeprefix("recipe.")
            now = getattr(spec.recipe, field)
            if key not in settings and key not in without and now != value:
                changes[f"{field} {_numbers(now)} → {_numbers(value)}"] = None
    if not changes:
        return ""
    return (
        f"recipe.epochs={settings['recipe.epochs']} also scales what is counted in epochs: "
        f"{', '.join(changes)}; --set changes them"
    )


def _numbers(given: float | tuple[float, ...]) -> str:
    """Return a number, or numbers as a list."""
    if isinstance(given, tuple):
        return f"[{', '.join(map(_numbers, given))}]"
    return f"{given:g}"


def _scaled(spec: Spec, settings: Mapping[str, Any]) -> dict[str, float | tuple[float, ...]]:
    """Return the fields that keep their share of the run when its epochs are set."""
    epochs = settings.get("recipe.epochs")
    if not (isinstance(epochs, int) and epochs > 0):
        return {}
    share = epochs / spec.recipe.epochs
    return {
        "recipe.warmup_epochs": spec.recipe.warmup_epochs * share,
        "recipe.step_epochs": spec.recipe.step_epochs * share,
        "recipe.milestones": tuple(epoch * share for epoch in spec.recipe.milestones),
    }


def _set(spec: Spec, settings: Mapping[str, Any]) -> Spec:
    settings = _scaled(spec, settings) | dict(settings)
    return _override(spec, {key: (key.split("."), data) for key, data in settings.items()}, "")


Settings = dict[str, tuple[list[str], Any]]  # by whole key: the rest of the path, the value


def _override(thing: Any, settings: Settings, prefix: str) -> Any:
    if isinstance(thing, tuple):
        return _override_each(thing, settings, prefix)
    fields = getattr(type(thing), "__pydantic_fields__", None)
    if fields is None:
        where, key = prefix.rstrip("."), shortened(next(iter(settings)))
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
            raise Problem(f"{prefix}{name} is set as a whole, and {next(iter(inner))} as well")
        changes[name] = _override(getattr(thing, name), inner, f"{prefix}{name}.")
    try:
        return replace(thing, **changes)
    except Problem as problem:
        raise Problem(f"{prefix}{problem}") from None


def _override_each(parts: tuple, settings: Settings, prefix: str) -> tuple:
    """Override parts in order, such as stages: first the settings for `all`, then those for one."""
    made = list(parts)
    for key, (path, data) in sorted(settings.items(), key=lambda item: item[1][0][0] != "all"):
        places = range(len(parts)) if path[0] == "all" else [path[0]]
        for place in map(str, places):
            if not place.isdecimal() or int(place) >= len(parts) or len(path) == 1:
                choices = ", ".join([*map(str, range(len(parts))), "all"])
                where = prefix.rstrip(".")
                raise Problem(
                    f"{shortened(key)} cannot be set: {where} takes a place ({choices}) and a field"
                )
            inner = {key: (path[1:], data)}
            made[int(place)] = _override(made[int(place)], inner, f"{prefix}{place}.")
    return tuple(made)


def _typed(thing: Any, key: str, name: str, field: Any, data: Any) -> Any:
    current = getattr(thing, name)
    if dataclasses.is_dataclass(current) and data is not None and not isinstance(data, dict):
        choices = [f"{key}.{inner.name}" for inner in dataclasses.fields(current)]
        raise Problem(f"{key} is not one value; set one of: {', '.join(choices)}")
    if isinstance(current, tuple) and any(map(dataclasses.is_dataclass, current)):
        raise Problem(f"{key} is not one value; set a field of one ({key}.0.…) or of {key}.all.…")
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        return from_dict(kind, data)
    except Problem as problem:
        raise Problem(f"{key}: {problem}") from None
