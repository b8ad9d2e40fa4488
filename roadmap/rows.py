"""A roadmap as a value: rows of specs, each made from a row before it by one or more steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from roadmap.cost import cost
from roadmap.edit import edit_network
from roadmap.errors import Problem, unknown
from roadmap.override import idle, override_where_used
from roadmap.spec import Spec
from roadmap.step import Step


@dataclass(frozen=True, kw_only=True)
class Use:
    """A step with the parameters of one use."""

    step: Step
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its number (`05`, `08-k5`), the first of its steps, after which it is named, a spec.

    `uses` are its steps, which made it from the row before; `explanation` is that of all of them.
    """

    number: str
    step: str
    title: str
    group: str
    explanation: str
    spec: Spec
    before: Row | None = field(default=None, repr=False)
    uses: tuple[Use, ...] = field(default=(), repr=False)

    @property
    def is_branch(self) -> bool:
        """True for a side branch, whose next row does not start from it."""
        return re.match(r"\d+-", self.number) is not None

    def again(self, spec: Spec) -> Spec:
        """Another spec, changed as this row changed the one before; a StepError where it cannot."""
        for use in self.uses:
            spec = use.step.apply(spec, **use.parameters)
        return spec

    def checked(self) -> Row:
        """This row, if its network can be built at its recipe's image size; else a Problem."""
        try:
            cost(self.spec.network, self.spec.recipe.image_size)
        except Problem as problem:
            raise Problem(f"row {self.number} ({self.step}): {problem}") from None
        return self


@dataclass(frozen=True, kw_only=True)
class Roadmap:
    """An ordered path of rows; `roadmap["05"]`, `roadmap["width"]` and iteration give rows.

    `paper` names the paper's table to compare with, `data` the data set to train on by default.
    """

    name: str
    title: str
    paper: str | None
    data: str | None
    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, key: str) -> Row:
        wanted = key.zfill(2) if key.isdigit() else key
        for row in self.rows:
            if wanted == row.number or (wanted == row.step and not row.is_branch):
                return row
        names = [row.step for row in self.rows if not row.is_branch]
        numbers = [row.number for row in self.rows]
        for number in numbers:
            if number.endswith(f"-{key}"):
                raise Problem(f"unknown row of roadmap {self.name!r}: {key!r}; it is {number!r}")
        choices = [*numbers, *names]
        raise unknown(f"row of roadmap {self.name!r}:", key, choices)

    def changed(self, change: Callable[[Spec], Spec]) -> Roadmap:
        """A copy in which `change` was applied to every row's spec; a Problem names the row."""
        rows: list[Row] = []
        for row in self.rows:
            before = rows[self.rows.index(row.before)] if row.before else None
            try:
                spec = change(row.spec)
            except Problem as problem:
                raise Problem(f"row {row.number} ({row.step}): {problem}") from None
            rows.append(replace(row, spec=spec, before=before).checked())
        return replace(self, rows=tuple(rows))

    def overridden(self, settings: Mapping[str, Any]) -> Roadmap:
        """A copy with fields of every row's spec set by dotted key: `{"recipe.epochs": 3}`.

        A row in which a field has no effect stays as it is: SGD's momentum is not AdamW's. A
        Problem where it has none in any row.
        """
        if not settings:
            return self
        taken: set[str] = set()

        def change(spec: Spec) -> Spec:
            made, used = override_where_used(spec, settings)
            taken.update(used)
            return made

        changed = self.changed(change)
        for key in settings:
            if key not in taken:
                raise idle(self.rows[-1].spec, settings, key)
        return changed

    def with_classes(self, classes: int) -> Roadmap:
        """A copy whose classifiers have this many classes."""
        return self.changed(lambda spec: edit_network(spec, classes=classes))
