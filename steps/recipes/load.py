"""Read training recipes from YAML. The shipped ones are in this folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roadmap import strict_yaml
from roadmap.errors import Problem
from roadmap.override import unused
from roadmap.spec import Recipe, from_dict

SHIPPED = Path(__file__).parent


def shipped() -> tuple[str, ...]:
    """Return the names of the shipped recipes."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def load_recipe(name: str | Path, *, folder: Path = Path()) -> Recipe:
    """Return the shipped recipe of that name, or the one in a YAML file, relative to `folder`."""
    path = strict_yaml.locate("recipe", str(name), shipped=SHIPPED, folder=folder)
    document = strict_yaml.read(path)
    with document.at():
        return _check_used(from_dict(Recipe, document.data), document.data)


def recipe_of(given: Any, folder: Path) -> Recipe:
    """Return the recipe that a roadmap names, or that it contains as a mapping.

    A Problem of a recipe in place has the keys below that of the recipe.
    """
    if isinstance(given, str):
        return load_recipe(given, folder=folder)
    try:
        recipe = from_dict(Recipe, given)
    except Problem as problem:
        raise Problem(f"recipe: {problem}", keys=problem.keys) from None
    return _check_used(recipe, given)


def _check_used(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    """Return the recipe; a Problem if a given field has no effect in it."""
    for key, why in unused(recipe).items():
        field = key.rpartition(".")[2]
        if field in given:
            raise Problem(f"{field} has no effect: {why.removeprefix('recipe.')}", keys=(field,))
    return recipe
