"""A roadmap: rows of specs, each made from the row before by one or more steps.

It is read from YAML: a base, its recipe, and a list of rows naming steps and parameters. Those
shipped lie in `experiments/roadmaps/`, the recipes they name in `experiments/recipes/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from roadmap import strict_yaml
from roadmap.edit import edit_network, override
from roadmap.errors import Problem, StepError, unknown
from roadmap.paper import TABLES
from roadmap.plan import plan
from roadmap.spec import Recipe, Spec, from_dict
from steps import STEPS
from steps.resnet import resnet
from steps.step import Step, read_steps

SHIPPED = ("tiny", "resnet50", "resnet200")
KEYS = ("title", "paper", "base", "recipe", "data", "classes", "rows")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its number (`05`, `08-k5`), the step it is named after, its spec."""

    number: str
    step: str
    title: str
    group: str
    explanation: str
    spec: Spec
    before: Row | None = field(default=None, repr=False)

    @property
    def is_branch(self) -> bool:
        """True for a side branch, whose next row does not start from it."""
        return "-" in self.number


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
        wanted = str(key).zfill(2)
        for row in self.rows:
            if wanted == row.number or (key == row.step and not row.is_branch):
                return row
        names = [row.step for row in self.rows if not row.is_branch]
        choices = [*(row.number for row in self.rows), *names]
        raise unknown(f"row of roadmap {self.name!r}:", key, choices)

    def changed(self, change: Any) -> Roadmap:
        """A copy in which `change` (Spec → Spec) was applied to every row's spec."""
        rows: list[Row] = []
        for row in self.rows:
            before = rows[self.rows.index(row.before)] if row.before else None
            rows.append(replace(row, spec=change(row.spec), before=before))
        return replace(self, rows=tuple(rows))

    def overridden(self, settings: Mapping[str, Any]) -> Roadmap:
        """A copy with fields of every row's spec set by dotted key: `{"recipe.epochs": 3}`."""
        return self.changed(lambda spec: override(spec, settings)) if settings else self

    def with_classes(self, classes: int) -> Roadmap:
        """A copy whose classifiers have this many classes."""
        return self.changed(lambda spec: edit_network(spec, classes=classes))


def load_roadmap(name: str | Path, *, steps: Path | None = None) -> Roadmap:
    """The shipped roadmap of that name, or the one in a YAML file; `steps` is a user's steps file.

    Raises Problem naming file, line and key for anything that does not fit.
    """
    path = _shipped(name) if str(name) in SHIPPED else Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise unknown("roadmap", str(name), [*SHIPPED, "FILE.yaml"])
    return _read(strict_yaml.read(path), STEPS | _own(steps))


def load_recipe(name: str | Path) -> Recipe:
    """The shipped recipe of that name, or the one in a YAML file."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        shipped = resources.files("experiments") / "recipes"
        choices = sorted(each.name.removesuffix(".yaml") for each in shipped.iterdir())
        if str(name) not in choices:
            raise unknown("recipe", str(name), [*choices, "FILE.yaml"])
        path = Path(str(shipped / f"{name}.yaml"))
    document = strict_yaml.read(path)
    with document.at():
        return from_dict(Recipe, document.data)


def _shipped(name: str) -> Path:
    return Path(str(resources.files("experiments") / "roadmaps" / f"{name}.yaml"))


def _own(path: Path | None) -> dict[str, Step]:
    own = read_steps(path) if path else {}
    for name in own:
        if name in STEPS:
            raise Problem(f"steps file {path}: {name!r} is a shipped step; choose another name")
    return own


def _read(document: strict_yaml.Document, steps: Mapping[str, Step]) -> Roadmap:
    data = document.data
    with document.at():
        for key in data:
            if key not in KEYS:
                raise unknown("key", key, KEYS)
        for key in ("base", "rows"):
            if key not in data:
                raise Problem(f"key {key!r} is missing")
    with document.at("data"):
        default_data = from_dict(str | None, data.get("data"))
    with document.at("paper"):
        paper = data.get("paper")
        if paper is not None and paper not in TABLES:
            raise unknown("table of the paper", paper, TABLES)
    with document.at("title"):
        title = from_dict(str, data.get("title", document.path.stem))
    with document.at("base"):
        rows = [_base_row(data)]
    with document.at("rows"):
        if not isinstance(data["rows"], list):
            raise Problem("rows must be a list of steps")
    for index, entry in enumerate(data["rows"]):
        with document.at("rows", index):
            rows += _rows(entry, f"{index + 1:02}", rows, steps)
    name = document.path.stem
    return Roadmap(name=name, title=title, paper=paper, data=default_data, rows=tuple(rows))


def _base_row(data: Mapping[str, Any]) -> Row:
    base = data["base"]
    if not isinstance(base, dict):
        raise Problem("base must be {depths: […], width: …} or {roadmap: NAME, row: NUMBER}")
    if "roadmap" in base:
        start = load_roadmap(str(base["roadmap"]))[str(base.get("row", "00"))]
        return replace(start, number="00", before=None)
    if "recipe" not in data:
        raise Problem("key 'recipe' is missing: the recipe of row 00")
    step = Step(resnet, "ResNet", "baseline")
    parameters = step.bind(base | {"classes": data.get("classes", 1000)})
    return Row(
        number="00", step=step.name, title=step.title, group=step.group,
        explanation=step.explanation, spec=resnet(load_recipe(data["recipe"]), **parameters),
    )  # fmt: skip


def _rows(entry: Any, number: str, rows: list[Row], steps: Mapping[str, Step]) -> Iterator[Row]:
    """The row that a list entry makes, then its side branches, all from the same row before."""
    if not isinstance(entry, dict):
        raise Problem(f"row {number} must be a mapping, as in 'kernel_size: {{kernel: 7}}'")
    before = next(row for row in reversed(rows) if not row.is_branch)
    yield _row({k: v for k, v in entry.items() if k != "branches"}, number, before, steps)
    branches = entry.get("branches", {})
    if not isinstance(branches, dict):
        raise Problem(f"row {number}: branches must be a mapping of names to steps")
    for name, branch in branches.items():
        yield _row(branch, f"{number}-{name}", before, steps)


def _row(uses: Any, number: str, before: Row, steps: Mapping[str, Step]) -> Row:
    if not isinstance(uses, dict) or not uses:
        raise Problem(f"row {number} names no step")
    spec, titles = before.spec, []
    for name, parameters in uses.items():
        if name not in steps:
            raise unknown("step", name, steps)
        step = steps[name]
        bound = step.bind(_with_recipes(parameters, name))
        try:
            spec = step.apply(spec, **bound)
            plan(spec.network, spec.recipe.image_size)
        except Problem as problem:
            text = str(problem) if name in str(problem) else f"step {name!r}: {problem}"
            raise StepError(f"row {number}: {text}", keys=(name,)) from None
        titles.append(step.title.format(**bound))
    first = steps[next(iter(uses))]
    return Row(
        number=number, step=first.name, title=titles[0], group=first.group,
        explanation=first.explanation, spec=spec, before=before,
    )  # fmt: skip


def _with_recipes(parameters: Any, step: str) -> dict[str, Any]:
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Problem(f"the parameters of step {step!r} must be a mapping, got {parameters!r}")
    if isinstance(parameters.get("recipe"), str):
        return parameters | {"recipe": load_recipe(parameters["recipe"])}
    return parameters
