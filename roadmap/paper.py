"""A paper's printed numbers, as a value: one table, with what its caption says.

`steps/roadmaps` reads them from a CSV file next to a roadmap. Nothing here knows one paper. Top-1
is in percent, as mean and standard deviation over n runs. A cost is in the paper's own unit.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from roadmap.errors import Problem, quoted, unknown

COLUMNS = ("row", "step", "title", "top1", "std", "n", "cost", "params", "computed", "note",
           "source", "sure")  # fmt: skip
NEEDED = ("row", "step", "top1")
HEAD = {
    "paper": "",
    "table": "",
    "roadmap": "",
    "recipe": "the paper's",
    "data": "ImageNet-1K",
    "image size": "224",
    "classes": "1000",
    "unit": "GFLOPs",
    "macs per unit": "1e9",
}
MOST_ROWS = 1000


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One printed row; a number that the paper does not print is None.

    `cost` is as printed, with its digits; `gflops` is the same in 1e9 multiply-accumulates.
    `params` are millions, as printed. `computed` is what our count gives where the printed cost
    cannot be met; `note` then says why. `others` are further printed numbers by their column.
    `source` says where the number was read, and `sure` how sure that is.
    """

    row: str
    step: str
    title: str
    top1: float | None
    std: float | None
    n: int
    cost: str
    gflops: float | None
    params: str
    computed: str
    note: str
    source: str = ""
    sure: str = ""
    others: Mapping[str, str] = field(default_factory=dict)

    def agrees(self, gmacs: float) -> bool:
        """Return whether a cost equals the printed one to its printed decimals."""
        if self.gflops is None or not float(self.cost):
            return False
        return _as(self.cost, gmacs * float(self.cost) / self.gflops) == self.cost

    def agrees_in_params(self, params: int) -> bool:
        """Return whether a number of parameters equals the printed one to its printed decimals."""
        return _as(self.params, params / 1e6) == self.params


def _as(text: str, number: float) -> str:
    """Return a number with as many decimals as a printed one has."""
    return f"{number:.{len(text.partition('.')[2])}f}"


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One table of a paper. `name` is that of its file; `rows` are by number, in their order.

    `roadmap` names the roadmap whose rows these are; it is empty if that is the roadmap that brings
    the table. Rows that are not in the roadmap are models to compare with.
    """

    name: str
    paper: str
    table: str
    roadmap: str
    recipe: str
    data: str
    image_size: int
    classes: int
    unit: str
    rows: Mapping[str, PaperRow]

    @property
    def source(self) -> str:
        """The paper and its table, in words."""
        return f"{self.paper}, {self.table}" if self.table else self.paper

    @property
    def decimals(self) -> int:
        """Decimals to which top-1 is printed: the most that any row needs, 1 or 2."""
        needed = (row.top1 for row in self.rows.values() if row.top1 is not None)
        return 1 if all(round(top1, 1) == top1 for top1 in needed) else 2

    @property
    def has_spread(self) -> bool:
        """Whether the table prints a standard deviation in any row."""
        return any(row.std is not None for row in self.rows.values())


def printed(paper: Paper | None, row: str, step: str) -> PaperRow | None:
    """Return the paper's row of that number if it has the same step, else None."""
    line = paper.rows.get(row) if paper else None
    return line if line and line.step == step else None


def read_paper(text: str, name: str) -> Paper:
    """Return the table in a CSV text. A Problem names the line and what is wrong.

    Lines `# key: value` at the top say what the caption says. Then follow a heading and one line
    per row. A column of another name is a printed number that is kept as it is.
    """
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    head = dict(HEAD)
    for number, line in enumerate(lines[:start], start=1):
        key, colon, value = line.lstrip("# ").partition(":")
        if not colon or key.strip() not in HEAD:
            raise _at(number, unknown("key of a paper", key.strip(), HEAD))
        head[key.strip()] = value.strip()
    if not head["paper"]:
        raise Problem("1: key 'paper' is missing: '# paper: authors, title, year' at the top")
    table = csv.DictReader(lines[start:])
    try:
        columns = table.fieldnames or ()
    except csv.Error as error:
        raise Problem(f"{start + 1}: {error}") from None
    for column in NEEDED:
        if column not in columns:
            raise Problem(f"{start + 1}: column {column!r} is missing")
    per_unit = _number(head["macs per unit"], "macs per unit")
    rows: dict[str, PaperRow] = {}
    for fields in _lines(table, start):
        try:
            row = _row(fields, per_unit)
            if row.row in rows or len(rows) == MOST_ROWS:
                raise Problem(f"row {quoted(row.row)} is given twice, or more than {MOST_ROWS}")
        except Problem as problem:
            raise _at(start + table.line_num, problem) from None
        rows[row.row] = row
    size, classes = (int(_number(head[key], key)) for key in ("image size", "classes"))
    words = {key: head[key] for key in ("paper", "table", "roadmap", "recipe", "data", "unit")}
    return Paper(name=name, image_size=size, classes=classes, rows=rows, **words)


def _lines(table: csv.DictReader[str], start: int) -> Iterator[dict[str, Any]]:
    """Give the lines of a table; `start` lines are above it. Raises Problem if one is no CSV."""
    try:
        yield from table
    except csv.Error as error:  # such as a field that is too long
        raise Problem(f"{start + table.line_num + 1}: {error}") from None


def _at(line: int, problem: Problem) -> Problem:
    return Problem(f"{line}: {problem}")


def _row(line: dict[str, Any], per_unit: float) -> PaperRow:
    if None in line or None in line.values():
        raise Problem("the line has more or fewer fields than the heading")
    known = {column: line.get(column, "") for column in COLUMNS}
    cost = known["cost"]
    if known["params"]:
        _number(known["params"], "params")
    texts = ("row", "step", "title", "computed", "note", "source", "sure")
    return PaperRow(
        **{key: known[key] for key in texts},
        cost=cost,
        params=known["params"],
        gflops=_number(cost, "cost") * per_unit / 1e9 if cost else None,
        top1=_number(known["top1"], "top1") if known["top1"] else None,
        std=_number(known["std"], "std") if known["std"] else None,
        n=int(_number(known["n"] or "1", "n")),
        others={key: value for key, value in line.items() if key not in COLUMNS},
    )


def _number(text: str, key: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise Problem(f"{key} must be a number, got {quoted(text)}") from None
    if not 0 <= number < 1e12:
        raise Problem(f"{key} must be a number of 0 or more, got {quoted(text)}")
    return number
