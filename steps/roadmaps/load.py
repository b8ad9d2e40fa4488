"""Read roadmaps from YAML: a base, its recipe, a list of rows that name steps.

The shipped ones are in this folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydantic

from roadmap import strict_yaml
from roadmap.choice import read_choice
from roadmap.errors import Problem, quoted, unknown
from roadmap.rows import Roadmap, Row
from roadmap.scale import SCALES
from roadmap.spec import Classes, Recipe, from_dict, problem_of
from roadmap.step import Step
from steps import BASE, STEPS
from steps.own import read_steps
from steps.recipes.load import recipe_of
from steps.roadmaps.entries import Steps, read_family, read_rows
from steps.roadmaps.names import split_name
from steps.roadmaps.papers import load_paper
from steps.roadmaps.tasks import read_tasks

SHIPPED = ("tiny", "small", "cifar", "resnet50", "resnet200", "inceptionnext", "bag-of-tricks",
           "convnext-family", "convnext-v2", "resnet-rs", "robust-cnn")  # fmt: skip
KEYS = ("title", "paper", "base", "recipe", "data", "classes", "margin", "choose", "rows", "family",
        "tasks")  # fmt: skip
LONGEST = {"title": 200, "paper": 200, "data": 4096}  # characters
MOST_ROWS = 200


def load_roadmap(
    name: str | Path, *, steps: Path | None = None, recipe: Recipe | None = None
) -> Roadmap:
    """Return the shipped roadmap of that name, or the one in a YAML file.

    With a scale after it, as in `resnet50@tiny`, it is a small version of that roadmap, and with a
    task, as in `tiny:detection`, its rows are trained for that; if the roadmap has no recipe for
    it, by `recipe`. `steps` is a user's steps file. Raises Problem with file, line and key for
    anything wrong.
    """
    return _load(str(name), STEPS | _own(steps), Path(), (), recipe)


def _own(path: Path | None) -> dict[str, Step]:
    own = read_steps(path) if path else {}
    for name in own:
        if name in STEPS:
            raise Problem(f"steps file {path}: {name!r} is a shipped step; choose another name")
    return own


def _load(
    name: str,
    steps: Steps,
    folder: Path,
    within: tuple[Path, ...],
    recipe: Recipe | None = None,
) -> Roadmap:
    """Load a roadmap by name; the base of a file may name another file, relative to its folder."""
    name, scale, task = split_name(name)
    if task:
        scaled = f"{name}@{scale}" if scale else name
        return _load(scaled, steps, folder, within).for_task(task, recipe)
    if scale:
        if scale not in SCALES:
            raise unknown("scale", scale, SCALES)
        tasks = _load(scale, steps, folder, within).tasks
        return replace(_load(name, steps, folder, within).scaled(SCALES[scale]), tasks=tasks)
    shipped = Path(__file__).parent
    path = strict_yaml.locate("roadmap", name, shipped=shipped, names=SHIPPED, folder=folder)
    real = Path(os.path.realpath(path))  # Path.resolve fails for a link to itself
    if real in within:
        raise Problem(f"roadmap {path} starts from itself")
    return _read(strict_yaml.read(path), steps, (*within, real))


def _read(document: strict_yaml.Document, steps: Steps, within: tuple[Path, ...]) -> Roadmap:
    data, name = document.data, document.path.stem
    with document.at():
        for key in data:
            if key not in KEYS:
                raise unknown("key", key, KEYS)
        if "base" not in data:
            raise Problem("key 'base' is missing")
        if ("rows" in data) == ("family" in data):
            what = (
                "only one of 'rows' and 'family' is valid"
                if "rows" in data
                else ("key 'rows' is missing")
            )
            raise Problem(what)
    listed = "rows" if "rows" in data else "family"
    title = _text(document, "title") or name
    table = _text(document, "paper")
    with document.at("paper"):
        paper = load_paper(table, roadmap=name, folder=document.path.parent) if table else None
    base = _base_row(document, steps, within)
    with document.at(listed):
        if not isinstance(data[listed], list) or len(data[listed]) > MOST_ROWS:
            raise Problem(f"{listed} must be a list of steps, at most {MOST_ROWS}")
        if listed == "family" and not data[listed]:
            raise Problem("family must have at least one row")
    read = read_rows if listed == "rows" else read_family
    rows = read(document, base, steps)
    default = _text(document, "data")
    if default and (document.path.parent / default).exists():
        default = str(document.path.parent / default)
    with document.at("choose"):
        choose = read_choice(data.get("choose"))
    roadmap = Roadmap(
        name=name,
        title=title,
        paper=paper,
        data=default,
        rows=rows,
        choose=choose,
        margin=margin_of(document),
        tasks=read_tasks(document),
    )
    with document.at("choose"):
        roadmap = roadmap.checked_choice()
    own = paper is not None and not paper.roadmap
    return replace(roadmap, paper_path=roadmap) if own else roadmap


def margin_of(document: strict_yaml.Document) -> float | None:
    """Return the margin in points that a roadmap or study sets; None if it sets none."""
    if document.data.get("margin") is None:
        return None
    with document.at("margin"):
        try:
            margin = float(from_dict(float, document.data["margin"]))
        except Problem as problem:
            raise Problem(f"margin: {problem}") from None
        if not 0 < margin < 100:
            raise Problem(f"margin must be above 0 and below 100 points, got {margin:g}")
    return margin


def _text(document: strict_yaml.Document, key: str) -> str | None:
    text = document.data.get(key)
    with document.at(key):
        if text is not None and not isinstance(text, str):
            raise Problem(f"{key} must be text, got {quoted(text)}")
        if text is not None and len(text) > LONGEST[key]:
            raise Problem(f"{key} has {len(text):,} characters; at most {LONGEST[key]:,} are valid")
    return text


def _base_row(document: strict_yaml.Document, steps: Steps, within: tuple[Path, ...]) -> Row:
    data = document.data
    base = data["base"]
    elsewhere = isinstance(base, dict) and "roadmap" in base
    for key in ("recipe", "classes") if elsewhere else ():
        with document.at(key):
            if key in data:
                raise Problem(f"key {key!r} has no use here: the base row has its own")
    with document.at("base"):
        if not isinstance(base, dict):
            raise Problem("base must be {depths: […], width: …} or {roadmap: NAME, row: NUMBER}")
        if elsewhere:
            return _row_elsewhere(document, base, steps, within)
    with document.at("recipe"):
        if "recipe" not in data:
            raise Problem("key 'recipe' is missing: the recipe of row 00")
        recipe = recipe_of(data["recipe"], document.path.parent)
    with document.at("classes"):
        try:
            classes = from_dict(Classes, data.get("classes", 1000))
        except Problem as problem:
            raise Problem(f"classes: {problem}") from None
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
    document: strict_yaml.Document, base: Mapping[str, Any], steps: Steps, within: tuple[Path, ...]
) -> Row:
    for key in base:
        if key not in ("roadmap", "row"):
            raise unknown("key of base:", key, ("roadmap", "row"))
    start = _load(str(base["roadmap"]), steps, document.path.parent, within)
    return replace(start[str(base.get("row", "00"))], number="00", before=None)
