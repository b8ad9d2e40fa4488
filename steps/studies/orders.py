"""The design `orders`: steps in random orders, for their Shapley values."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from roadmap.errors import Problem
from roadmap.rows import Roadmap, Row
from roadmap.spec import Spec
from steps.studies.contrast import (
    Contrast,
    Designed,
    Variants,
    path_changes,
    step_names,
    variant_of,
)

TRIES = 100  # refused orders in a row, after which orders are drawn step by step
MOST = 1000  # orders
Order = list[tuple[Row, Spec]]  # of steps, each with the spec after it


def orders(
    roadmap: Roadmap,
    *,
    samples: int = 6,
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0,
) -> Designed:
    """Draw different random orders of all steps, each allowed order with the same probability.

    The mean of what a step adds, over orders, estimates its Shapley value. If the specs allow at
    most `samples` orders, all of them are taken.
    """
    if not 3 <= samples <= MOST:
        raise Problem(f"samples {samples} must be 3 to {MOST}", keys=("samples",))
    changes, base = path_changes(roadmap), roadmap.rows[0]
    drawn = list(itertools.islice(_all_orders(base.spec, changes), samples + 1))
    complete = len(drawn) <= samples
    if not complete:
        drawn = _random_orders(base.spec, changes, samples, random.Random(seed))
    names, variants = step_names(changes), Variants()
    parts = _parts(base, drawn, variants)
    contrasts = [
        Contrast(
            step=names[change.number],
            title=change.title,
            group=change.group,
            parts=tuple(parts[change.number]),
            complete=complete,
        )
        for change in changes
    ]
    return Designed(
        rows=variants.rows,
        contrasts=tuple(contrasts),
        asks="a network with the step minus the one just before it, mean over "
        + (f"all {len(drawn)} orders" if complete else f"{len(drawn)} random orders"),
        left_out={"orders": f"the steps allow no more than {len(drawn)}"} if complete else {},
    )


def _parts(
    base: Row, drawn: Sequence[Order], variants: Variants
) -> dict[str, list[dict[str, float]]]:
    """Add the networks along all orders; return one part per order for each change."""
    parts: dict[str, list[dict[str, float]]] = {}
    first = variants.add(base)
    for order, way in enumerate(drawn, start=1):
        before = first
        for place, (change, spec) in enumerate(way, start=1):
            number = variants.add(variant_of(change, f"order{order}-{place:02}", spec))
            part = {number: 1.0, before: -1.0} if number != before else {}
            parts.setdefault(change.number, []).append(part)
            before = number
    return parts


def _next(change: Row, spec: Spec) -> Spec:
    """Return the spec after one more step; a Problem if the step or its network does not fit."""
    made = change.again(spec)
    replace(change, spec=made).checked()
    return made


def _all_orders(
    spec: Spec, changes: Sequence[Row], draws: random.Random | None = None
) -> Iterator[Order]:
    """Give every order that the specs allow; with `draws`, in a random sequence."""
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
    """Return different orders; all are equally likely unless only a few are allowed."""
    drawn: dict[tuple[str, ...], Order] = {}
    refused = 0
    while len(drawn) < samples:
        if refused < TRIES:
            order = _drawn(spec, draws.sample(changes, len(changes)))
        else:  # nearly all orders are refused: draw step by step
            order = next(_all_orders(spec, changes, draws))
        if order is None:
            refused += 1
        else:
            drawn.setdefault(tuple(change.number for change, _ in order), order)
            refused = 0
    return list(drawn.values())


def _drawn(spec: Spec, changes: Sequence[Row]) -> Order | None:
    """Return the specs along one order; None if it is not allowed."""
    order = []
    for change in changes:
        try:
            spec = _next(change, spec)
        except Problem:
            return None
        order.append((change, spec))
    return order
