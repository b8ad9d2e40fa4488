"""Steps/studies/grid.py."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from roadmap.errors import Problem, unknown
from roadmap.rows import Roadmap
from steps.studies.contrast import Contrast, Designed, Variants, composed, path_changes, step_names


def grid(roadmap: Roadmap, *, steps: Sequence[str], row: str | None = None) -> Designed:
    """A few steps on and off in all combinations, all others of the path up to `row` on.

    Contrasts: each step's main effect, and of each two the interaction: by how much more the one is
    worth with the other on than off. Both are averaged over the settings of the other steps.
    """
    changes, base = path_changes(roadmap), roadmap.rows[0]
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
        text = f"steps {list(steps)} must be two to five different ones"
        raise Problem(text, keys=("steps",))
    variants, cells, left_out = Variants(), {}, {}
    for setting in itertools.product((False, True), repeat=len(steps)):
        on = {step for step, given in zip(steps, setting, strict=True) if given}
        kept = [
            each for each in changes if names[each.number] not in steps or names[each.number] in on
        ]
        name = "+".join(step for step in steps if step in on) or "none"
        try:
            spec = composed(base.spec, kept)
            made = replace(
                last, number=name, step=name, title=name, spec=spec, before=None, uses=()
            )
            cells[setting] = variants.add(made)
        except Problem as problem:
            left_out[name] = f"cannot be built: {problem}"
    if left_out:
        name, why = next(iter(left_out.items()))
        raise Problem(f"a grid needs all combinations, but {name} {why}", keys=("steps",))
    contrasts = []
    for size in (1, 2):
        for chosen in itertools.combinations(range(len(steps)), size):
            weights: dict[str, float] = {}
            for setting, number in cells.items():
                sign = 1.0
                for place in chosen:
                    sign *= 1 if setting[place] else -1
                weights[number] = weights.get(number, 0.0) + sign / 2 ** (len(steps) - size)
            name = " × ".join(steps[place] for place in chosen)
            group = next(each.group for each in changes if names[each.number] == steps[chosen[0]])
            contrasts.append(Contrast(step=name, title=name, group=group, parts=(weights,)))
    return Designed(
        rows=tuple(variants.rows.values()),
        contrasts=tuple(contrasts),
        asks="the step on minus off, mean over the settings of the others; of two (×), how much "
        "more the one adds with the other on than off",
    )
