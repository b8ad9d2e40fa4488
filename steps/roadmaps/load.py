"""Roadmaps and recipes read from YAML: a base, its recipe, a list of rows naming steps.

Those shipped lie in `steps/roadmaps/`, the recipes they name in `steps/recipes/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pydantic

from roadmap import strict_yaml
from roadmap.errors import Problem, StepError, unknown
from roadmap.paper import TABLES
from roadmap.rows import Roadmap, Row, Use
from roadmap.spec import Recipe, from_dict, problem_of
from roadmap.step import Step
from steps import BASE, STEPS
from steps.own import read_steps
from steps.recipes.load import check_used, load_recipe

SHIPPED = ("tiny", "cifar", "resnet50", "resnet200")


KEYS = ("title", "paper", "base", "recipe", "data", "classes", "rows")


Steps = Mapping[str, Step]


def load_roadmap(name: str | Path, *, steps: Path | None = None) -> Roadmap:
    """The shipped roadmap of that name, or the one in a YAML file; `steps` is a user's steps file.

    Raises Problem naming file, line and key for anything that does not fit.
    """
    return _load(str(name), STEPS | _own(steps), Path(), ())


def _own(path: Path | None) -> dict[str, Step]:
    own = read_steps(path) if path else {}
    for name in own:
        if name in STEPS:
            raise Problem(f"steps file {path}: {name!r} is a shipped step; choose another name")
    return own


def _load(name: str, steps: Steps, folder: Path, within: tuple[Path, ...]) -> Roadmap:
    """A roadmap by name; a file's own base may name another file, from its own folder."""
    if name in SHIPPED:
        path = Path(str(resources.files("steps.roadmaps") / f"{name}.yaml"))
    elif name.endswith((".yaml", ".yml")):
        path = folder / name
    else:
        raise unknown("roadmap", name, [*SHIPPED, "FILE.yaml"])
    if path.resolve() in within:
        raise Problem(f"roadmap {path} starts from itself")
    return _read(strict_yaml.read(path), steps, (*within, path.resolve()))


def _read(document: strict_yaml.Document, steps: Steps, within: tuple[Path, ...]) -> Roadmap:
    data, name = document.data, document.path.stem
    with document.at():
        for key in data:
            if key not in KEYS:
                raise unknown("key", key, KEYS)
        for key in ("base", "rows"):
            if key not in data:
                raise Problem(f"key {key!r} is missing")
    title = _text(document, "title") or name
    paper = _text(document, "paper")
    with document.at("paper"):
        if paper and paper not in TABLES:
            raise unknown("table of the paper", paper, TABLES)
    rows = [_base_row(document, steps, within)]
    with document.at("rows"):
        if not isinstance(data["rows"], list):
            raise Problem("rows must be a list of steps")
    for index, entry in enumerate(data["rows"]):
        with document.at("rows", index):
            rows += _rows(entry, f"{index + 1:02}", rows, steps, document.path.parent)
    default = _text(document, "data")
    if default and (document.path.parent / default).exists():
        default = str(document.path.parent / default)
    return Roadmap(name=name, title=title, paper=paper, data=default, rows=tuple(rows))


def _text(document: strict_yaml.Document, key: str) -> str | None:
    found = document.data.get(key)
    with document.at(key):
        if found is not None and not isinstance(found, str):
            raise Problem(f"{key} must be text, got {found!r}")
    return found


def _base_row(document: strict_yaml.Document, steps: Steps, within: tuple[Path, ...]) -> Row:
    data = document.data
    base = data["base"]
    elsewhere = isinstance(base, dict) and "roadmap" in base
    for key in ("recipe", "classes") if elsewhere else ():
        with document.at(key):
            if key in data:
                raise Problem(f"key {key!r} has no use here: the base row brings its own")
    with document.at("base"):
        if not isinstance(base, dict):
            raise Problem("base must be {depths: […], width: …} or {roadmap: NAME, row: NUMBER}")
        if elsewhere:
            return _row_elsewhere(document, base, steps, within)
    with document.at("recipe"):
        if "recipe" not in data:
            raise Problem("key 'recipe' is missing: the recipe of row 00")
        recipe = _recipe(data["recipe"], document.path.parent)
    with document.at("classes"):
        classes = _typed("classes", int, data.get("classes", 1000))
    with document.at("base"):
        try:
            spec = BASE.function(recipe, **BASE.bind(base | {"classes": classes}))
        except pydantic.ValidationError as error:
            raise Problem(f"base: {problem_of(error, None)}") from None
        return Row(
            number="00", step=BASE.name, title=BASE.title, group=BASE.group,
            explanation=BASE.explanation, spec=spec,
        ).checked()  # fmt: skip


def _row_elsewhere(
    document: strict_yaml.Document, base: dict, steps: Steps, within: tuple[Path, ...]
) -> Row:
    for key in base:
        if key not in ("roadmap", "row"):
            raise unknown("key of base:", key, ("roadmap", "row"))
    start = _load(str(base["roadmap"]), steps, document.path.parent, within)
    return replace(start[str(base.get("row", "00"))], number="00", before=None)


def _typed(key: str, kind: Any, given: Any) -> Any:
    try:
        return from_dict(kind, given)
    except Problem as problem:
        raise Problem(f"{key}: {problem}", keys=problem.keys) from None


def _recipe(given: Any, folder: Path) -> Recipe:
    """A recipe by its name or file, which is looked for from the roadmap's folder, or in place."""
    if isinstance(given, str):
        return load_recipe(given, folder=folder)
    return check_used(_typed("recipe", Recipe, given), given)


def _rows(entry: Any, number: str, rows: list[Row], steps: Steps, folder: Path) -> Iterator[Row]:
    """The row that a list entry makes, then its side branches, all from the same row before."""
    if not isinstance(entry, dict):
        raise Problem(f"row {number} must be a mapping, as in 'kernel_size: {{kernel: 7}}'")
    before = next(row for row in reversed(rows) if not row.is_branch)
    uses = {key: each for key, each in entry.items() if key != "branches"}
    yield _row(uses, number, before, steps, folder)
    branches = entry.get("branches", {})
    if not isinstance(branches, dict):
        raise Problem(f"row {number}: branches must be a mapping of names to steps")
    for name, branch in branches.items():
        if not re.fullmatch(r"[a-z][a-z0-9]*", str(name)):
            raise Problem(f"row {number}: branch {name!r} must be named as in k5: letters, digits")
        yield _row(branch, f"{number}-{name}", before, steps, folder)


def _row(uses: Any, number: str, before: Row, steps: Steps, folder: Path) -> Row:
    if not isinstance(uses, dict) or not uses:
        raise Problem(f"row {number} names no step")
    spec, titles, made = before.spec, [], []
    for name, parameters in uses.items():
        if name not in steps:
            raise unknown("step", name, [*steps, "your own with --steps FILE.py"])
        try:
            bound = steps[name].bind(_with_recipe(parameters, name, folder))
            spec = steps[name].apply(spec, **bound)
        except Problem as problem:
            if problem.located:
                raise
            text = str(problem) if name in str(problem) else f"{name}: {problem}"
            raise StepError(f"row {number}: {text}", keys=(name, *problem.keys)) from None
        titles.append(steps[name].title.format(**bound))
        made.append(Use(step=steps[name], parameters=bound))
    first = steps[next(iter(uses))]
    return Row(
        number=number, step=first.name, title=titles[0], group=first.group,
        explanation="\n\n".join(steps[name].explanation for name in uses),
        spec=spec, before=before, uses=tuple(made),
    ).checked()  # fmt: skip


def _with_recipe(parameters: Any, step: str, folder: Path) -> dict[str, Any]:
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Problem(f"the parameters of step {step!r} must be a mapping, got {parameters!r}")
    return parameters | (
        {"recipe": _recipe_of(parameters["recipe"], folder)} if "recipe" in parameters else {}
    )


def _recipe_of(given: Any, folder: Path) -> Recipe:
    """A step's recipe, whose faults stand below its key."""
    try:
        return _recipe(given, folder)
    except Problem as problem:
        if problem.located:
            raise
        raise Problem(str(problem), keys=("recipe", *problem.keys)) from None
