"""A field that is chosen for each row: the row is trained at each of several values.

The best value is the one with the highest accuracy on the data set's `select` split, so the
validation images have no part in the choice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from roadmap.errors import Problem, quoted
from roadmap.override import override_where_used
from roadmap.spec import Spec

Value = int | float | str
SEED = 0  # the choice is made by this seed; other seeds are trained at the chosen value only


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A field by dotted key, and its values; `x2` is twice the row's own value."""

    field: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        listed = quoted(list(self.values))
        if not 2 <= len(self.values) <= 20 or len(set(map(str, self.values))) < len(self.values):
            raise Problem(f"choose: {self.field} needs 2 to 20 different values, got {listed}")
        for value in self.values:
            if isinstance(value, str) and not re.fullmatch(r"x\d+(\.\d+)?", value):
                raise Problem(
                    f"choose: {self.field}: {quoted(value)} is neither a number nor a factor "
                    "such as x0.5, of the row's own value"
                )
        if not self.field.startswith("recipe."):
            raise Problem(f"choose: {self.field} is no field of the recipe")

    def specs(self, spec: Spec) -> dict[str, Spec]:
        """Return the spec at each value, by the value in words; empty if it has no such field."""
        made: dict[str, Spec] = {}
        for value in self.values:
            number = self._at(spec, value)
            changed, used = override_where_used(spec, {self.field: number})
            if not used:
                return {}
            made[f"{number:g}"] = changed
        return made

    def _at(self, spec: Spec, value: Value) -> int | float:
        if not isinstance(value, str):
            return value
        own = getattr(spec.recipe, self.field.removeprefix("recipe."), None)
        if not isinstance(own, int | float):
            raise Problem(f"choose: {self.field} is no number, so that {value} means nothing")
        return type(own)(float(f"{own * float(value[1:]):.6g}"))


def read_choice(data: object) -> Choice | None:
    """Return the choice written as `{recipe.learning_rate: [x0.5, x1, x2]}`; None for None."""
    if data is None:
        return None
    if not isinstance(data, dict) or len(data) != 1:
        raise Problem("choose must be one field and its values: {recipe.learning_rate: [x1, x2]}")
    ((field, values),) = data.items()
    numbers = isinstance(values, Sequence) and all(
        isinstance(value, int | float | str) and not isinstance(value, bool) for value in values
    )
    if not isinstance(field, str) or isinstance(values, str) or not numbers:
        raise Problem(f"choose: {quoted(field)} needs a list of numbers or factors such as x2")
    return Choice(field=field, values=tuple(values))
