"""Study designs: which variants of a roadmap to train, and what their differences ask.

A variant is a row like any other. A contrast is a weighted sum of variants' accuracies, so that one
way of judging serves all designs. What the specs do not allow is left out, with the reason.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from roadmap.edit import override
from roadmap.errors import Problem, unknown
from roadmap.spec import Spec
from steps.path import Roadmap, Row
from steps.roadmaps import load_recipe

TRIES = 100  # orders refused, after which they are drawn step by step
MOST = 1000  # orders


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A question: the mean, over `parts`, of sums of variants' accuracies times their weights.

    `step` names it, `parts` are mappings of variant numbers to weights: one, but for `orders`,
    where each order sampled is a part. `complete` says that the parts are all that there are.
    """

    step: str
    title: str
    group: str
    parts: tuple[Mapping[str, float], ...]
    complete: bool = False

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each variant over all parts."""
        total: dict[str, float] = {}
        for part in self.parts:
            for number, weight in part.items():
                total[number] = total.get(number, 0.0) + weight / len(self.parts)
        return {number: weight for number, weight in total.items() if weight}


@dataclass(frozen=True, kw_only=True)
class Designed:
    """The variants of a design, its contrasts, and why what is left out cannot be.

    `asks` says in words what each contrast subtracts from what.
    """

    rows: tuple[Row, ...]
    contrasts: tuple[Contrast, ...]
    asks: str
    left_out: Mapping[str, str] = field(default_factory=dict)


class _Variants:
    """Rows of different specs; a spec that is there already keeps the number it has."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def add(self, row: Row) -> str:
        """The number under which a row's spec is kept; a Problem where it cannot be built."""
        return self.rows.setdefault(row.spec.fingerprint, row.checked()).number


def path(roadmap: Roadmap) -> Designed:
    """The cumulative roadmap: each row against the one it starts from."""
    names = _names([row for row in roadmap if row.before and not row.is_branch])
    contrasts = [
        Contrast(
            step=names.get(row.number, row.number),
            title=row.title,
            group=row.group,
            parts=({row.number: 1.0, row.before.number: -1.0},),
        )
        for row in roadmap
        if row.before
    ]
    asks = "a row minus the row it starts from"
    return Designed(rows=roadmap.rows, contrasts=tuple(contrasts), asks=asks)


def leave_one_out(roadmap: Roadmap) -> Designed:
    """The last row without each step: what the step is worth at the end."""
    changes, base = _changes(roadmap), roadmap.rows[0]
    names = _names(changes)
    end = replace(changes[-1], before=None, uses=())
    variants, contrasts, left_out = _Variants(), [], {}
    last = variants.add(end)
    for change in changes:
        rest = [other for other in changes if other is not change]
        try:
            number = variants.add(
                replace(
                    change, number=f"without-{names[change.number]}",
                    title=f"without {change.title}", spec=_composed(base.spec, rest), before=end,
                    uses=(),
                )
            )  # fmt: skip
        except Problem as problem:
            left_out[names[change.number]] = f"cannot be left out: {problem}"
            continue
        contrasts.append(_difference(change, last, number, names[change.number]))
    return Designed(
        rows=tuple(variants.rows.values()),
        contrasts=tuple(contrasts),
        asks="the end of the path minus the same without the step",
        left_out=left_out,
    )


def one_at_a_time(roadmap: Roadmap) -> Designed:
    """The base with each step alone: what the step is worth at the start."""
    changes, base = _changes(roadmap), roadmap.rows[0]
    names = _names(changes)
    variants, contrasts, left_out = _Variants(), [], {}
    first = variants.add(base)
    for change in changes:
        try:
            spec = _composed(base.spec, [change])
            number = variants.add(
                replace(
                    change, number=f"with-{names[change.number]}", spec=spec, before=base, uses=()
                )
            )
        except Problem as problem:
            left_out[names[change.number]] = f"cannot come first: {problem}"
            continue
        contrasts.append(_difference(change, number, first, names[change.number]))
    return Designed(
        rows=tuple(variants.rows.values()),
        contrasts=tuple(contrasts),
        asks="the base with the step alone minus the base",
        left_out=left_out,
    )


def orders(roadmap: Roadmap, *, samples: int = 6, seed: int = 0) -> Designed:
    """Random orders of all steps, each as likely as any other that the specs allow; none twice.

    The mean of what a step adds, over orders, estimates its Shapley value. Where the specs allow no
    more than `samples` orders, these are all.
    """
    if not 3 <= samples <= MOST:
        raise Problem(f"samples {samples} must be 3 to {MOST}", keys=("samples",))
    changes, base = _changes(roadmap), roadmap.rows[0]
    variants, draws, left_out = _Variants(), random.Random(seed), {}
    names = _names(changes)
    parts: dict[str, list[dict[str, float]]] = {change.number: [] for change in changes}
    first = variants.add(base)
    found = list(itertools.islice(_all_orders(base.spec, changes), samples + 1))
    if len(found) <= samples:
        left_out["orders"] = f"the steps allow no more than {len(found)}"
    else:
        found = _random_orders(base.spec, changes, samples, draws)
    for order, way in enumerate(found, start=1):
        before = first
        for place, (change, spec) in enumerate(way, start=1):
            made = replace(
                change, number=f"order{order}-{place:02}", title=change.title, spec=spec,
                before=None, uses=(),
            )  # fmt: skip
            number = variants.add(made)
            parts[change.number].append({number: 1.0, before: -1.0} if number != before else {})
            before = number
    contrasts = [
        Contrast(
            step=names[each.number],
            title=each.title,
            group=each.group,
            parts=tuple(parts[each.number]),
            complete="orders" in left_out,
        )
        for each in changes
    ]
    return Designed(
        rows=tuple(variants.rows.values()),
        contrasts=tuple(contrasts),
        asks="a network with the step minus the one just before it, mean over "
        + (f"all {len(found)} orders" if "orders" in left_out else f"{len(found)} random orders"),
        left_out=left_out,
    )


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
    variants, numbers = _Variants(), {}
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
            _difference(row, numbers[row.number, str(value)], numbers[other.number, str(at)]),
            step=f"{row.number}@{value}",
            title=title,
        )
        for row, value, (other, at), title in asked
    ]
    rows = tuple(variants.rows.values())
    return Designed(rows=rows, contrasts=tuple(contrasts), asks=asks)


def grid(roadmap: Roadmap, *, steps: Sequence[str], row: str | None = None) -> Designed:
    """A few steps on and off in all combinations, all others of the path up to `row` on.

    Contrasts: each step's main effect, and of each two the interaction: by how much more the one is
    worth with the other on than off. Both are averaged over the settings of the other steps.
    """
    changes, base = _changes(roadmap), roadmap.rows[0]
    last = roadmap[row] if row else changes[-1]
    if last not in changes:
        raise Problem(
            f"row {last.number} is not on the path with steps; it must be one of: "
            + ", ".join(change.number for change in changes)
        )
    changes = changes[: changes.index(last) + 1]
    names = _names(changes)
    known = list(names.values())
    for step in steps:
        if step not in known:
            raise Problem(str(unknown("step of the grid", step, known)), keys=("steps",))
    if not 2 <= len(set(steps)) == len(steps) <= 5:
        text = f"steps {list(steps)} must be two to five different ones"
        raise Problem(text, keys=("steps",))
    variants, cells, left_out = _Variants(), {}, {}
    for setting in itertools.product((False, True), repeat=len(steps)):
        on = {step for step, given in zip(steps, setting, strict=True) if given}
        kept = [
            each for each in changes if names[each.number] not in steps or names[each.number] in on
        ]
        name = "+".join(step for step in steps if step in on) or "none"
        try:
            spec = _composed(base.spec, kept)
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


DESIGNS = {
    "path": path,
    "leave_one_out": leave_one_out,
    "one_at_a_time": one_at_a_time,
    "orders": orders,
    "sweep": sweep,
    "grid": grid,
}


def _changes(roadmap: Roadmap) -> list[Row]:
    """The rows of the path whose steps can be applied elsewhere: all but the base and branches."""
    found = [row for row in roadmap if row.before and not row.is_branch]
    if not found:
        raise Problem(f"roadmap {roadmap.name!r} has no steps")
    return found


def _composed(spec: Spec, changes: Iterable[Row]) -> Spec:
    """A spec with the steps of some rows."""
    for change in changes:
        spec = change.again(spec)
    return spec


def _names(changes: Sequence[Row]) -> dict[str, str]:
    """What each row's step is called, by the row's number: with it where a step is used twice."""
    used = Counter(change.step for change in changes)
    return {
        change.number: change.step if used[change.step] == 1 else f"{change.step}-{change.number}"
        for change in changes
    }


def _difference(change: Row, plus: str, minus: str, name: str = "") -> Contrast:
    weights = {plus: 1.0, minus: -1.0} if plus != minus else {}
    return Contrast(
        step=name or change.step, title=change.title, group=change.group, parts=(weights,)
    )


Order = list[tuple[Row, Spec]]  # of steps, each with the spec behind it


def _next(change: Row, spec: Spec) -> Spec:
    """The spec with a step more; a Problem where the step or its network cannot be."""
    made = change.again(spec)
    replace(change, spec=made).checked()
    return made


def _all_orders(
    spec: Spec, changes: Sequence[Row], draws: random.Random | None = None
) -> Iterator[Order]:
    """Every order that the specs allow, one after another; with `draws`, begun at random."""
    if not changes:
        yield []
        return
    for change in draws.sample(changes, len(changes)) if draws else changes:
        try:
            made = _next(change, spec)
        except Problem:
            continue
        rest = [other for other in changes if other is not change]
        for order in _all_orders(made, rest, draws):
            yield [(change, made), *order]


def _random_orders(
    spec: Spec, changes: Sequence[Row], samples: int, draws: random.Random
) -> list[Order]:
    """So many different orders; each as likely as another unless few of all are allowed."""
    found: dict[tuple[str, ...], Order] = {}
    refused = 0
    while len(found) < samples:
        if refused < TRIES:
            order = _drawn(spec, draws.sample(changes, len(changes)))
        else:  # nearly all are refused: step by step
            order = next(_all_orders(spec, changes, draws))
        if order is None:
            refused += 1
        else:
            found.setdefault(tuple(change.number for change, _ in order), order)
            refused = 0
    return list(found.values())


def _drawn(spec: Spec, changes: Sequence[Row]) -> Order | None:
    """The specs on the way of one order, None where it is not allowed."""
    found = []
    for change in changes:
        try:
            spec = _next(change, spec)
        except Problem:
            return None
        found.append((change, spec))
    return found


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
