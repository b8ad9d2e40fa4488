"""The design `sweep`: rows at several values of a field or of a step's parameter."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from roadmap.errors import Problem, quoted, unknown
from roadmap.override import override
from roadmap.rows import Roadmap, Row
from roadmap.spec import Spec
from steps.recipes.load import load_recipe
from steps.studies.contrast import Designed, Name, Variants, contrast_between, variant_of

Values = Annotated[Sequence[Any], Field(max_length=200)]


def sweep(
    roadmap: Roadmap, *, of: Name, values: Values, rows: Sequence[Name] | None = None
) -> Designed:
    """Train rows at several values of `of`: a field of the spec or a parameter of a step.

    `of` is written as in `recipe.learning_rate` or `kernel_size.kernel`. With several `rows`, each
    is compared with the one before it in `rows` at every value. With one row, each value is
    compared with the value before it.
    """
    if len(values) < 2 or len({str(value) for value in values}) < len(values):
        text = f"values {quoted(list(values))} must be two or more different ones"
        raise Problem(text, keys=("values",))
    if of == "network.classes":
        raise Problem("network.classes comes from the data; it cannot be varied", keys=("of",))
    chosen = [roadmap[number] for number in rows or [roadmap.rows[-1].number]]
    if len({row.number for row in chosen}) < len(chosen):
        raise Problem(f"rows {quoted(rows)} must be different ones", keys=("rows",))
    name = of.rpartition(".")[2].replace("_", " ")
    variants, numbers = Variants(), {}
    for row, (place, value) in itertools.product(chosen, enumerate(values)):
        number, title = f"{row.number}@{value}", f"{row.title}, {name} {value}"
        try:
            spec = _at(roadmap, row, of, value)
        except Problem as problem:
            keys = problem.keys if problem.keys == ("of",) else ("values", place)
            raise Problem(f"{of}, {quoted(value)}: {problem}", keys=keys) from None
        numbers[number] = variants.add(variant_of(row, number, spec, title=title))
    if len(chosen) > 1:
        listed = ", ".join(row.number for row in chosen)
        asks = f"a row minus the one before it of {listed}, both at the same {name}"
        pairs = [
            (row, f"{row.number}@{value}", f"{other.number}@{value}",
             f"{row.number} against {other.number}", f"{value}")
            for other, row in itertools.pairwise(chosen)
            for value in values
        ]  # fmt: skip
    else:
        row = chosen[0]
        asks = f"row {row.number} at each {name} minus the same row at the one before it"
        pairs = [
            (row, f"{row.number}@{value}", f"{row.number}@{other}", f"{value} against {other}", "")
            for other, value in itertools.pairwise(values)
        ]
    contrasts = (
        replace(
            contrast_between(
                row,
                numbers[plus],
                numbers[minus],
                step=plus,
                title=f"{title} at {at}" if at else title,
            ),
            question=title if at else "",
            at=at,
        )
        for row, plus, minus, title, at in pairs
    )
    return Designed(rows=variants.rows, contrasts=tuple(contrasts), asks=asks)


def _at(roadmap: Roadmap, row: Row, of: str, value: Any) -> Spec:
    """Return a row's spec with a field, or a parameter of a step on its way, set."""
    if of.startswith(("recipe.", "network.")):
        return override(row.spec, {of: value})
    start: Row = row
    way: list[Row] = []
    while start.before:
        way.insert(0, start)
        start = start.before
    uses = [use for change in way for use in change.uses]
    step, _, parameter = of.partition(".")
    steps = [use.step.name for use in uses]
    if step not in steps:
        fault = unknown(f"step on the way to row {row.number}:", step, [*steps, "recipe.FIELD"])
        raise Problem(str(fault), keys=("of",))
    if parameter == "recipe" and isinstance(value, str):
        value = load_recipe(value)
    spec = start.spec
    for use in uses:
        varied = {parameter: value} if use.step.name == step else {}
        spec = use.step.apply(spec, **{**use.parameters, **varied})
    return spec
