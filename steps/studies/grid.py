"""The design `grid`: a few steps on and off in all combinations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from roadmap.errors import Problem, quoted, unknown
from roadmap.rows import Roadmap, Row
from steps.studies.contrast import (
    Contrast,
    Designed,
    Name,
    Variants,
    composed,
    path_changes,
    step_names,
    variant_of,
)

Setting = tuple[bool, ...]  # which of the grid's steps are on


def grid(roadmap: Roadmap, *, steps: Sequence[Name], row: Name | None = None) -> Designed:
    """Turn a few steps on and off in all combinations; all other steps up to `row` are on.

    The contrasts are the main effect of each step and the interaction of each pair: how much more
    one step is worth if the other is on. Both are averaged over the settings of the other steps.
    """
    changes = path_changes(roadmap)
    last = roadmap[row] if row else changes[-1]
    if last not in changes:
        raise Problem(
            f"row {last.number} is not on the path with steps; it must be one of: "
            + ", ".join(change.number for change in changes)
        )
    changes = changes[: changes.index(last) + 1]
    names = step_names(changes)
    known = list(names.values())
    for step in steps:
        if step not in known:
            raise Problem(str(unknown("step of the grid", step, known)), keys=("steps",))
    if not 2 <= len(set(steps)) == len(steps) <= 5:
        text = f"steps {quoted(list(steps))} must be two to five different ones"
        raise Problem(text, keys=("steps",))
    variants = Variants()
    numbers = _numbers(roadmap.rows[0], changes, names, steps, variants)
    groups = {names[change.number]: change.group for change in changes}
    contrasts = []
    for size in (1, 2):
        for chosen in itertools.combinations(range(len(steps)), size):
            name = " × ".join(steps[place] for place in chosen)
            weights = _weights(numbers, chosen, len(steps))
            group = groups[steps[chosen[0]]]
            contrasts.append(Contrast(step=name, title=name, group=group, parts=(weights,)))
    return Designed(
        rows=variants.rows,
        contrasts=tuple(contrasts),
        asks="the step on minus off, mean over the settings of the others; of two (×), how much "
        "more the one adds with the other on than off",
    )


def _numbers(
    base: Row,
    changes: Sequence[Row],
    names: Mapping[str, str],
    steps: Sequence[str],
    variants: Variants,
) -> dict[Setting, str]:
    """Add the variant of every combination; return their numbers by setting."""
    numbers = {}
    for setting in itertools.product((False, True), repeat=len(steps)):
        on = [step for step, is_on in zip(steps, setting, strict=True) if is_on]
        off = set(steps) - set(on)
        name = "+".join(on) or "none"
        kept = [change for change in changes if names[change.number] not in off]
        try:
            spec = composed(base.spec, kept)
            numbers[setting] = variants.add(
                variant_of(changes[-1], name, spec, step=name, title=name)
            )
        except Problem as problem:
            raise Problem(
                f"a grid needs all combinations, but {name} cannot be built: {problem}",
                keys=("steps",),
            ) from None
    return numbers


def _weights(numbers: Mapping[Setting, str], chosen: Sequence[int], steps: int) -> dict[str, float]:
    """Return the weights of the main effect or the interaction of the steps at these places."""
    weights: dict[str, float] = {}
    for setting, number in numbers.items():
        sign = 1.0
        for place in chosen:
            sign *= 1 if setting[place] else -1
        weights[number] = weights.get(number, 0.0) + sign / 2 ** (steps - len(chosen))
    return weights
