"""What a design makes: variants and contrasts; and the parts that designs share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from roadmap.errors import Problem
from roadmap.rows import Roadmap, Row
from roadmap.spec import Spec

Name = Annotated[str, Field(max_length=200)]  # of a row, a step or a field in a study's file


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A question: the mean, over `parts`, of sums of variants' accuracies times their weights.

    `step` names it. `parts` are mappings of variant numbers to weights: one part, except in
    `orders`, where each sampled order is a part. `complete` says that `parts` has all orders. In a
    sweep of several rows the same `question` is asked `at` each value.
    """

    step: str
    title: str
    group: str
    parts: tuple[Mapping[str, float], ...]
    complete: bool = False
    question: str = ""
    at: str = ""

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
    """The variants of a design and its contrasts.

    `asks` says in words what a contrast subtracts from what. `left_out` has the reason why a step
    has no variant.
    """

    rows: tuple[Row, ...]
    contrasts: tuple[Contrast, ...]
    asks: str
    left_out: Mapping[str, str] = field(default_factory=dict)


class Variants:
    """Rows with different specs; a spec that is added again keeps its first number."""

    def __init__(self) -> None:
        self._by_spec: dict[str, Row] = {}

    @property
    def rows(self) -> tuple[Row, ...]:
        """The variants in the order in which they were added."""
        return tuple(self._by_spec.values())

    def add(self, row: Row) -> str:
        """Return the number of a row's spec among the variants; a Problem if it does not fit."""
        return self._by_spec.setdefault(row.spec.fingerprint, row.checked()).number


def path_changes(roadmap: Roadmap) -> list[Row]:
    """Return the rows whose steps can be applied elsewhere: all except the base and branches."""
    changes = [row for row in roadmap if row.before and not row.is_branch]
    if not changes:
        raise Problem(f"roadmap {roadmap.name!r} has no steps")
    return changes


def composed(spec: Spec, changes: Iterable[Row]) -> Spec:
    """Return a spec with the steps of some rows applied."""
    for change in changes:
        spec = change.again(spec)
    return spec


def variant_of(
    row: Row, number: str, spec: Spec, *, before: Row | None = None, **words: str
) -> Row:
    """Return a variant that is a row with another number, spec and, if given, title or step."""
    return replace(row, number=number, spec=spec, before=before, uses=(), **words)


def step_names(changes: Sequence[Row]) -> dict[str, str]:
    """Return the name of each row's step by row number; with the number if it is used twice."""
    used = Counter(change.step for change in changes)
    return {
        change.number: change.step if used[change.step] == 1 else f"{change.step}-{change.number}"
        for change in changes
    }


def contrast_between(
    change: Row, plus: str, minus: str, *, step: str, title: str | None = None
) -> Contrast:
    """Return the contrast of one variant minus another."""
    return Contrast(
        step=step,
        title=change.title if title is None else title,
        group=change.group,
        parts=({plus: 1.0, minus: -1.0} if plus != minus else {},),
    )
