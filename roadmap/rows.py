"""A roadmap as a value: rows of specs, each made from an earlier row by one or more steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from roadmap.choice import Choice
from roadmap.cost import cost
from roadmap.edit import edit_network
from roadmap.edit import replace as replace_field
from roadmap.errors import Problem, unknown
from roadmap.heads import task_cost
from roadmap.override import idle, override_where_used
from roadmap.paper import Paper
from roadmap.scale import Scale
from roadmap.spec import Recipe, Spec
from roadmap.step import Step
from roadmap.tasks import EXAMPLES, TASKS, TaskName


@dataclass(frozen=True, kw_only=True)
class Use:
    """One use of a step, with its parameters."""

    step: Step
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its number (`05`, `08-k5`), its first step, which gives the row its name, its spec.

    `uses` are the steps that made it from the row `before`; `explanation` explains all of them.
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
        """True for a side branch: no other row starts from it."""
        return re.match(r"\d+-", self.number) is not None

    def again(self, spec: Spec) -> Spec:
        """Return `spec` with this row's steps applied; a StepError if a step does not apply."""
        for use in self.uses:
            spec = use.step.apply(spec, **use.parameters)
        return spec

    def checked(self) -> Row:
        """Return this row; a Problem if its network does not fit its image size or its task."""
        try:
            cost(self.spec.network, self.spec.recipe.image_size)
            if self.spec.recipe.task is not None:
                task_cost(self.spec)
        except Problem as problem:
            raise Problem(f"row {self.number} ({self.step}): {problem}") from None
        return self


@dataclass(frozen=True, kw_only=True)
class TaskOf:
    """How a roadmap's rows are trained for a task other than classification.

    All rows have one `recipe`, and `drop_path` if it is given. `data` is the default data set;
    `classes` is the number of classes when there is no data.
    """

    name: TaskName
    recipe: Recipe
    data: str | None = None
    drop_path: float | None = None
    margin: float | None = None
    classes: int | None = None

    def apply(self, spec: Spec) -> Spec:
        """Return the spec with this recipe."""
        spec = replace_field(spec, recipe=self.recipe)
        if self.classes is not None:
            spec = edit_network(spec, classes=self.classes)
        return spec if self.drop_path is None else edit_network(spec, drop_path=self.drop_path)


@dataclass(frozen=True, kw_only=True)
class Roadmap:
    """An ordered path of rows; `roadmap["05"]`, `roadmap["width"]` and iteration give rows.

    `paper` is the table of a paper to compare with. `paper_path` is this roadmap as it was read, if
    the table's rows are its own. `data` is the default data set. With `choose`, each row is trained
    at several values of a field, and the best one counts. `margin` is the smallest difference of
    top-1 that matters, in points; None leaves it to studies. `scale` made a small version of the
    roadmap `full`. `tasks` are what else its rows can be trained for. `task` is the one that they
    are trained for, if they are not trained as the roadmap says. `asked` is the task that was asked
    for by name. `unused_choice` is the field of a choice that ended, as no row uses the field.
    """

    name: str
    title: str
    paper: Paper | None
    data: str | None
    rows: tuple[Row, ...]
    choose: Choice | None = None
    margin: float | None = None
    paper_path: Roadmap | None = field(default=None, repr=False, compare=False)
    scale: Scale | None = None
    full: Roadmap | None = field(default=None, repr=False, compare=False)
    tasks: Mapping[TaskName, TaskOf] = field(default_factory=dict)
    task: TaskOf | None = None
    asked: TaskName | None = None
    unused_choice: str | None = None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, key: str) -> Row:
        wanted = key.zfill(2) if key.isdigit() else key
        for row in self.rows:
            if wanted == row.number or (wanted == row.step and not row.is_branch):
                return row
            if "@" in key and key.startswith(f"{row.number}@"):
                for candidate in self.candidates(row):
                    if candidate.number == key:
                        return candidate
        names = [row.step for row in self.rows if not row.is_branch]
        numbers = [row.number for row in self.rows]
        for number in numbers:
            if number.endswith(f"-{key}"):
                raise Problem(f"unknown row of roadmap {self.name!r}: {key!r}; use {number!r}")
        raise unknown(f"row of roadmap {self.name!r}:", key, [*numbers, *names])

    def candidates(self, row: Row) -> tuple[Row, ...]:
        """Return a row at each value of the choice, as `05@0.004`; the row itself without one."""
        made = self.choose.specs(row.spec) if self.choose else {}
        return tuple(
            replace(row, number=f"{row.number}@{value}", spec=spec) for value, spec in made.items()
        ) or (row,)

    def trials(self, key: str) -> tuple[str, ...]:
        """Return the numbers of a row's candidates; a candidate is its own only trial."""
        row = self[key]
        own = any(row.number == other.number for other in self.rows)
        return tuple(one.number for one in self.candidates(row)) if own else (row.number,)

    def checked_choice(self) -> Roadmap:
        """Return this roadmap; a Problem if the field of the choice has no effect in any row."""
        if self.choose and not self._chooses:
            raise Problem(f"choose: {self.choose.field} has no effect in any row")
        return self

    @property
    def _chooses(self) -> bool:
        return any(len(self.candidates(row)) > 1 for row in self)

    def choosing(self, choice: Choice | None) -> Roadmap:
        """Return a copy with this choice; without it if its field has no effect in any row."""
        made = replace(self, choose=choice)
        if choice is None or made._chooses:
            return made
        return replace(made, choose=None, unused_choice=choice.field)

    def checked_task(self) -> Roadmap:
        """Return this roadmap; a Problem if a row is for another task than the one asked for."""
        for row in self:
            own = row.spec.recipe.task_name
            if self.asked is not None and self.asked != own:
                raise _wrong_task(self.name, self.asked, f"row {row.number} ({row.step})", own)
        return self

    def changed(self, change: Callable[[Spec], Spec]) -> Roadmap:
        """Return a copy with `change` applied to every row's spec; a Problem names the row."""
        rows: dict[str, Row] = {}
        for row in self.rows:
            before = rows[row.before.number] if row.before else None
            try:
                spec = change(row.spec)
            except Problem as problem:
                raise Problem(f"row {row.number} ({row.step}): {problem}") from None
            rows[row.number] = replace(row, spec=spec, before=before).checked()
        return replace(self, rows=tuple(rows.values()))

    def overridden(self, settings: Mapping[str, Any]) -> Roadmap:
        """Return a copy with fields of every spec set by dotted key: `{"recipe.epochs": 3}`.

        A row in which a field has no effect keeps its own: momentum is for SGD and not for AdamW.
        Setting the field of the choice ends the choice. Raises Problem if a field has no effect in
        any row, or if the rows are then for another task than the one asked for.
        """
        if not settings:
            return self.checked_task()
        taken: set[str] = set()

        def change(spec: Spec) -> Spec:
            made, used = override_where_used(spec, settings)
            taken.update(used)
            return made

        changed = self.changed(change)
        for key in settings:
            if key not in taken:
                raise idle(self.rows[-1].spec, settings, key)
        chosen = self.choose is not None and self.choose.field not in settings
        return changed.choosing(self.choose if chosen else None).checked_task()

    def scaled(self, scale: Scale) -> Roadmap:
        """Return a small version of this roadmap; its steps are those of the full one."""
        changed = self.changed(scale.apply)
        return replace(
            changed, name=f"{self.name}@{scale.name}", title=f"{self.title}, scale {scale.name}",
            data=scale.data, scale=scale, full=self,
        )  # fmt: skip

    def for_task(self, name: str, recipe: Recipe | None = None) -> Roadmap:
        """Return this roadmap with its rows trained for a task.

        If neither the rows nor `tasks` have it, all rows get `recipe`. Raises Problem without one.
        """
        if name not in TASKS:
            raise unknown("task", name, TASKS)
        own = dict.fromkeys(row.spec.recipe.task_name for row in self)
        task = self.tasks.get(name)
        if task is None and list(own) == [name]:
            return replace(self, asked=name)
        if task is None and recipe is not None:
            if recipe.task_name != name:
                raise _wrong_task(self.name, name, "the recipe", recipe.task_name)
            task = TaskOf(name=name, recipe=recipe)
        if task is None:
            raise Problem(
                f"roadmap {self.name!r} has no recipe for {name} (its rows are trained for "
                f"{' and '.join(dict.fromkeys((*own, *self.tasks)))}); --recipe NAME trains them "
                f"by one, as in --recipe {EXAMPLES[name]}"
            )
        made = replace(
            self.changed(task.apply), name=f"{self.name}:{name}", title=f"{self.title}: {name}",
            paper=None, paper_path=None, data=task.data, margin=task.margin, task=task, asked=name,
        )  # fmt: skip
        return made.choosing(self.choose)

    def with_classes(self, classes: int) -> Roadmap:
        """Return a copy whose classifiers have this many classes."""
        return self.changed(lambda spec: edit_network(spec, classes=classes))


def _wrong_task(roadmap: str, task: TaskName, what: str, own: TaskName) -> Problem:
    """Return the problem that a row or recipe is for another task than the one asked for."""
    return Problem(
        f"roadmap {roadmap!r} is to be trained for {task}, but {what} is for {own}; leave out "
        f"--task, or give a recipe for {task}, as in --recipe {EXAMPLES[task]}"
    )
