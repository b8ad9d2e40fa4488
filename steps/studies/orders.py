"""Steps/studies/orders.py."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from roadmap.errors import Problem
from roadmap.rows import Roadmap, Row
from roadmap.spec import Spec
from steps.studies.contrast import Contrast, Designed, Variants, path_changes, step_names

TRIES = 100  # orders refused, after which they are drawn step by step


MOST = 1000  # orders


def orders(roadmap: Roadmap, *, samples: int = 6, seed: int = 0) -> Designed:
    """Random orders of all steps, each as likely as any other that the specs allow; none twice.

    The mean of what a step adds, over orders, estimates its Shapley value. Where the specs allow no
    more than `samples` orders, these are all.
    """
    if not 3 <= samples <= MOST:
        raise Problem(f"samples {samples} must be 3 to {MOST}", keys=("samples",))
    changes, base = path_changes(roadmap), roadmap.rows[0]
    variants, draws, left_out = Variants(), random.Random(seed), {}
    names = step_names(changes)
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
