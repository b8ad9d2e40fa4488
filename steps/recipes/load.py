"""Steps/recipes/load.py."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from roadmap import strict_yaml
from roadmap.errors import Problem, unknown
from roadmap.override import unused
from roadmap.spec import Recipe, from_dict


def load_recipe(name: str | Path, *, folder: Path = Path()) -> Recipe:
    """The shipped recipe of that name, or the one in a YAML file, from `folder` on."""
    path = folder / name
    if path.suffix not in (".yaml", ".yml"):
        shipped = resources.files("steps.recipes")
        choices = sorted(
            each.name.removesuffix(".yaml")
            for each in shipped.iterdir()
            if each.name.endswith(".yaml")
        )
        if str(name) not in choices:
            raise unknown("recipe", str(name), [*choices, "FILE.yaml"])
        path = Path(str(shipped / f"{name}.yaml"))
    document = strict_yaml.read(path)
    with document.at():
        return check_used(from_dict(Recipe, document.data), document.data)


def check_used(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    """The recipe, if it makes use of every field that was given; else a Problem."""
    for key, why in unused(recipe).items():
        field = key.rpartition(".")[2]
        if field in given:
            raise Problem(f"{field} has no effect: {why.removeprefix('recipe.')}", keys=(field,))
    return recipe
