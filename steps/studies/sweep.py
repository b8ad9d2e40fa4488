"""Steps/studies/sweep.py."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from roadmap.errors import Problem, unknown
from roadmap.override import override
from roadmap.rows import Roadmap, Row
from roadmap.spec import Spec
from steps.recipes.load import load_recipe
from steps.studies.contrast import Designed, Variants, contrast_between


def sweep(
    roadmap: Roadmap, *, of: str, values: Sequence[Any], rows: Sequence[str] | None = None
) -> Designed:
    """Rows at several values of `of`: a field of the recipe, or a step's parameter.

    `of` is as in `recipe.learning_rate` or `kernel_size.kernel`. Each row is compared with the row
    before it in `rows` at every value; with one row, each value with the one before it.
    """
    if len(values) < 2 or len({str(value) for value in values}) < len(values):
        text = f"values {list(values)!r} must be two or more different ones"
        raise Problem(text, keys=("values",))
    if of == "network.classes":
        raise Problem("network.classes comes from the data; it cannot be varied", keys=("of",))
    chosen = [roadmap[number] for number in rows or [roadmap.rows[-1].number]]
    if len({row.number for row in chosen}) < len(chosen):
        raise Problem(f"rows {list(rows)!r} must be different ones", keys=("rows",))
    variants, numbers = Variants(), {}
    name = of.rpartition(".")[2].replace("_", " ")
    for row in chosen:
        for place, value in enumerate(values):
            try:
                spec = _at(roadmap, row, of, value)
            except Problem as problem:
                keys = problem.keys if problem.keys == ("of",) else ("values", place)
                raise Problem(f"{of}, {value}: {problem}", keys=keys) from None
            made = replace(
                row, number=f"{row.number}@{value}", title=f"{row.title}, {name} {value}",
                spec=spec, before=None, uses=(),
            )  # fmt: skip
            numbers[row.number, str(value)] = variants.add(made)
    if len(chosen) > 1:
        listed = ", ".join(row.number for row in chosen)
        asks = f"a row minus the one before it of {listed}, both at the same {name}"
        asked = [
            (row, value, (before, value), f"{row.number} against {before.number} at {value}")
            for before, row in itertools.pairwise(chosen)
            for value in values
        ]
    else:
        asks = f"row {chosen[0].number} at each {name} minus the same row at the one before it"
        asked = [
            (row, value, (row, before), f"{value} against {before}")
            for row in chosen
            for before, value in itertools.pairwise(values)
        ]
    contrasts = [
        replace(
            contrast_between(row, numbers[row.number, str(value)], numbers[other.number, str(at)]),
            step=f"{row.number}@{value}",
            title=title,
        )
        for row, value, (other, at), title in asked
    ]
    rows = tuple(variants.rows.values())
    return Designed(rows=rows, contrasts=tuple(contrasts), asks=asks)


def _way(row: Row) -> list[Row]:
    """The rows on the way to a row, from the one behind the base to itself."""
    found = []
    while row.before:
        found.insert(0, row)
        row = row.before
    return found


def _at(roadmap: Roadmap, row: Row, of: str, value: Any) -> Spec:
    """A row's spec with a field of its recipe, or a parameter of a step on its way, set."""
    if of.startswith(("recipe.", "network.")):
        return override(row.spec, {of: value})
    step, _, parameter = of.partition(".")
    way = _way(row)
    steps = [use.step.name for each in way for use in each.uses]
    if step not in steps:
        fault = unknown(f"step on the way to row {row.number}:", step, [*steps, "recipe.FIELD"])
        raise Problem(str(fault), keys=("of",))
    if parameter == "recipe" and isinstance(value, str):
        value = load_recipe(value)
    spec = way[0].before.spec
    for each in way:
        for use in each.uses:
            given = dict(use.parameters)
            if use.step.name == step:
                given[parameter] = value
            spec = use.step.apply(spec, **given)
    return spec
