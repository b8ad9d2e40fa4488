"""The key `tasks` of a roadmap: what else its rows can be trained for, and by which recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from roadmap.errors import Problem, quoted, unknown
from roadmap.rows import TaskOf
from roadmap.spec import BelowOne, Classes, from_dict
from roadmap.strict_yaml import Document
from roadmap.tasks import TASKS, TaskName
from steps.recipes.load import recipe_of

KEYS = ("recipe", "data", "classes", "drop_path", "margin")
OTHERS = TASKS[1:]
Text = Annotated[str, Field(max_length=4096)]
Margin = Annotated[float, Field(gt=0, lt=100)]


def read_tasks(document: Document) -> dict[TaskName, TaskOf]:
    """Return the tasks by name. Raises Problem for an unknown one or a recipe of another task."""
    given = document.data.get("tasks") or {}
    with document.at("tasks"):
        if not isinstance(given, dict):
            raise Problem("tasks must be a mapping, as in {detection: {recipe: tiny-detection}}")
    tasks: dict[TaskName, TaskOf] = {}
    for name, entry in given.items():
        with document.at("tasks"):
            if name not in OTHERS:
                raise unknown("task", name, OTHERS)
        with document.at("tasks", name):
            tasks[name] = _task(name, entry, document)
    return tasks


def _task(name: TaskName, entry: Any, document: Document) -> TaskOf:
    if not isinstance(entry, dict) or "recipe" not in entry:
        raise Problem(f"task {name} must be a mapping with a recipe, got {quoted(entry)}")
    for key in entry:
        if key not in KEYS:
            raise unknown("key of a task:", key, KEYS)
    try:
        recipe = recipe_of(entry["recipe"], document.path.parent)
    except Problem as problem:
        if problem.located:
            raise
        raise Problem(str(problem), keys=("recipe", *problem.keys)) from None
    if recipe.task_name != name:
        raise Problem(f"the recipe of task {name} is for {recipe.task_name}", keys=("recipe",))
    data = _typed(Text, entry, "data")
    if data is not None and (document.path.parent / data).exists():
        data = str(document.path.parent / data)
    return TaskOf(
        name=name,
        recipe=recipe,
        data=data,
        drop_path=_typed(BelowOne, entry, "drop_path"),
        margin=_typed(Margin, entry, "margin"),
        classes=_typed(Classes, entry, "classes"),
    )


def _typed(kind: Any, entry: Mapping[str, Any], key: str) -> Any:
    if entry.get(key) is None:
        return None
    try:
        return from_dict(kind, entry[key])
    except Problem as problem:
        raise Problem(f"{key}: {problem}", keys=(key,)) from None
