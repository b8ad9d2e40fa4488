"""Steps/studies/contrast.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from roadmap.errors import Problem
from roadmap.rows import Roadmap, Row
from roadmap.spec import Spec


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


class Variants:
    """Rows of different specs; a spec that is there already keeps the number it has."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def add(self, row: Row) -> str:
        """The number under which a row's spec is kept; a Problem where it cannot be built."""
        return self.rows.setdefault(row.spec.fingerprint, row.checked()).number


def path_changes(roadmap: Roadmap) -> list[Row]:
    """The rows of the path whose steps can be applied elsewhere: all but the base and branches."""
    found = [row for row in roadmap if row.before and not row.is_branch]
    if not found:
        raise Problem(f"roadmap {roadmap.name!r} has no steps")
    return found


def composed(spec: Spec, changes: Iterable[Row]) -> Spec:
    """A spec with the steps of some rows."""
    for change in changes:
        spec = change.again(spec)
    return spec


def step_names(changes: Sequence[Row]) -> dict[str, str]:
    """What each row's step is called, by the row's number: with it where a step is used twice."""
    used = Counter(change.step for change in changes)
    return {
        change.number: change.step if used[change.step] == 1 else f"{change.step}-{change.number}"
        for change in changes
    }


def contrast_between(change: Row, plus: str, minus: str, name: str = "") -> Contrast:
    """Return the contrast of one variant minus another."""
    weights = {plus: 1.0, minus: -1.0} if plus != minus else {}
    return Contrast(
        step=name or change.step, title=change.title, group=change.group, parts=(weights,)
    )
