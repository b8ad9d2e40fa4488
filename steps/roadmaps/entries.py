"""The entries of a roadmap's list of rows: steps with parameters, and side branches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from roadmap.errors import Problem, StepError, quoted, unknown
from roadmap.group import Group, checked_colour, checked_text
from roadmap.rows import Row, Use
from roadmap.step import Step
from roadmap.strict_yaml import Document
from steps.recipes.load import recipe_of

Steps = Mapping[str, Step]
MOST = 50  # steps of a row, and side branches of a row
MEMBER = ("name", "title", "from", "steps")  # keys of a family's row
LONGEST = 200  # characters of a title
LOOKS = ("title", "group", "colour")  # of a row, next to its steps


def read_rows(document: Document, base: Row, steps: Steps) -> tuple[Row, ...]:
    """Return the base row and the rows of a roadmap's list, numbered from 01."""
    rows, before = [base], base
    for index, entry in enumerate(document.data["rows"]):
        with document.at("rows", index):
            made = list(_rows(entry, f"{index + 1:02}", before, steps, document.path.parent))
        rows += made
        before = made[0]
    return _told_apart(rows)


def _told_apart(rows: list[Row]) -> tuple[Row, ...]:
    """Return the rows; those with one title also name the parameters in which they differ."""
    names: dict[str, str] = {}
    for row in rows:
        same = [other for other in rows if other.title == row.title and other.uses]
        own = _parameters(row)
        different = {
            key: text
            for key, text in own.items()
            if any(_parameters(other).get(key) != text for other in same)
        }
        if len(same) > 1 and different:
            shown = ", ".join(f"{key} {text}" for (_, key), text in different.items())
            names[row.number] = f"{row.title} ({shown})"
    if not names:
        return tuple(rows)
    made: dict[str, Row] = {}
    for row in rows:
        before = made[row.before.number] if row.before else None
        made[row.number] = replace(row, title=names.get(row.number, row.title), before=before)
    return tuple(made.values())


def _parameters(row: Row) -> dict[tuple[str, str], str]:
    """Return the parameters of a row's steps that are numbers or words, as text."""
    return {
        (use.step.name, key): f"{value:g}" if isinstance(value, float) else str(value)
        for use in row.uses
        for key, value in use.parameters.items()
        if isinstance(value, int | float | str)
    }


def read_family(document: Document, base: Row, steps: Steps) -> tuple[Row, ...]:
    """Return the rows of a roadmap's family, numbered from 00: each is made from the base.

    An entry with `from` is made from an earlier entry instead, and compared with it.
    """
    rows: dict[str, Row] = {}
    for index, entry in enumerate(document.data["family"]):
        with document.at("family", index):
            row = _member(entry, f"{index:02}", base, rows, steps, document.path.parent)
        rows[row.step] = row
    return tuple(rows.values())


def _member(
    entry: Any, number: str, base: Row, rows: Mapping[str, Row], steps: Steps, folder: Path
) -> Row:
    if not isinstance(entry, dict):
        raise Problem(f"row {number} must be a mapping, as in {{name: tiny, steps: {{…}}}}")
    for key in entry:
        if key not in MEMBER:
            raise unknown("key of a family's row:", key, MEMBER)
    name = entry.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise Problem(
            f"row {number}: name {quoted(name)} must be letters, digits and _, as in tiny"
        )
    if name in rows:
        raise Problem(f"row {number}: name {name!r} is given twice", keys=("name",))
    start = base
    if "from" in entry:
        if entry["from"] not in rows:
            raise unknown("earlier row of the family:", entry["from"], rows)
        start = rows[entry["from"]]
    made = replace(start, number=number, before=None, uses=())
    if entry.get("steps") is not None:
        with_steps = _row(entry["steps"], number, start, steps, folder)
        made = with_steps if "from" in entry else replace(with_steps, before=None)
    title = entry.get("title", name)
    if not isinstance(title, str) or len(title) > LONGEST:
        raise Problem(f"row {number}: title must be text of at most {LONGEST} characters")
    return replace(made, step=name, title=title, group="family")


def _rows(entry: Any, number: str, before: Row, steps: Steps, folder: Path) -> Iterator[Row]:
    """Make the row of a list entry, then its side branches, all from the same row before."""
    if not isinstance(entry, dict):
        raise Problem(f"row {number} must be a mapping, as in 'kernel_size: {{kernel: 7}}'")
    uses = {key: parameters for key, parameters in entry.items() if key != "branches"}
    yield _row(uses, number, before, steps, folder)
    branches = entry.get("branches", {})
    if not isinstance(branches, dict) or len(branches) > MOST:
        raise Problem(f"row {number}: branches must be a mapping of at most {MOST} names to steps")
    for name, branch in branches.items():
        if not re.fullmatch(r"[a-z][a-z0-9]{0,31}", str(name)):
            raise Problem(
                f"row {number}: branch {quoted(name)} must be named as in k5: letters and digits"
            )
        yield _row(branch, f"{number}-{name}", before, steps, folder)


def _row(uses: Any, number: str, before: Row, steps: Steps, folder: Path) -> Row:
    if not isinstance(uses, dict) or not uses:
        raise Problem(f"row {number} names no step")
    if len(uses) > MOST:
        raise Problem(f"row {number} names {len(uses)} steps; at most {MOST} are valid")
    look = {key: uses[key] for key in LOOKS if key in uses}
    uses = {name: parameters for name, parameters in uses.items() if name not in LOOKS}
    if not uses:
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
    title, group = _look(look, number, titles[0], first.group)
    return Row(
        number=number, step=first.name, title=title, group=group,
        explanation="\n\n".join(steps[name].explanation for name in uses),
        spec=spec, before=before, uses=tuple(made),
    ).checked()  # fmt: skip


def _look(look: Mapping[str, Any], number: str, title: str, group: str) -> tuple[str, str]:
    """Return the title and the group of a row: those that its entry gives, else the step's."""
    try:
        if "title" in look:
            title = checked_text("title", look["title"])
        name = checked_text("group", look["group"]) if "group" in look else group
        colour = "" if "group" in look else getattr(group, "colour", "")
        if "colour" in look:
            colour = checked_colour(look["colour"])
        return title, Group(name, colour)
    except Problem as problem:
        raise Problem(f"row {number}: {problem}") from None


def _with_recipe(parameters: Any, step: str, folder: Path) -> dict[str, Any]:
    """Return a step's parameters, with the recipe in place of its name or mapping."""
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Problem(
            f"the parameters of step {step!r} must be a mapping, got {quoted(parameters)}"
        )
    if "recipe" not in parameters:
        return parameters
    try:
        return parameters | {"recipe": recipe_of(parameters["recipe"], folder)}
    except Problem as problem:
        if problem.located:
            raise
        raise Problem(str(problem), keys=("recipe", *problem.keys)) from None
