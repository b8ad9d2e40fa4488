"""The first words of the report: what the runs show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from analysis.report.contents import Contents
from analysis.tables.cells import accuracy, signed
from analysis.tables.table import Table, TableRow
from analysis.verdicts.verdict import UNDECIDED, Judged


def summary(contents: Contents) -> list[str]:
    """Return what the runs of the roadmap show, in sentences."""
    subject = contents.subject
    if contents.has_runs:
        path = "Each row is compared with the row it starts from. On this path"
        return [*_rows(subject.table), *_verdicts(subject.judged, path)]
    return [*_nothing(contents)]


def study_summary(judged: Judged) -> list[str]:
    """Return what the runs of a study show, in sentences."""
    return [*_verdicts(judged, "In this study")] or ["No verdicts yet: this study lacks runs."]


def _nothing(contents: Contents) -> Iterator[str]:
    """Say what is known without a finished run, and why there is none despite records."""
    table = contents.subject.table
    where = f" on {table.data}" if table.data else ""
    yield (
        f"There are no finished runs of this roadmap{where} yet. Without runs the report shows "
        "what every row is, and exactly what it costs."
    )
    yield from _diverged(table.rows)
    yield from (f"{note[0].upper()}{note[1:]}." for note in table.notes if "left out" in note)
    if contents.subject.paper is not None:
        yield "The accuracies shown are the paper's own."


def _diverged(rows: Sequence[TableRow]) -> Iterator[str]:
    named = ", ".join(f"{row.row} ({row.diverged})" for row in rows if row.diverged)
    if named:
        yield f"Runs that diverged, by row: {named}; they are never averaged."


def _rows(table: Table) -> Iterator[str]:
    rows = [row for row in table.rows if row.group != "reference"]
    path = [row for row in rows if not row.branch]
    first, last = path[0], path[-1]
    if first is not last and first.mean is not None and last.mean is not None:
        measure = table.measure
        yield (
            f"From row {first.row}, {first.title}, to row {last.row}, {last.title}, "
            f"{measure.words} on {table.data} changes from {_number(first, first.mean, table)} to "
            f"{_number(last, last.mean, table)}: {signed(last.mean - first.mean, table.decimals)} "
            f"{measure.difference}".rstrip()
            + "."
        )
    known = [(row.mean, row) for row in rows if row.mean is not None]
    select, word = (max, "highest") if table.measure.better == "higher" else (min, "lowest")
    mean, best = select(known, key=lambda pair: pair[0])
    alone = sum(other == mean for other, _ in known) == 1 < len(known)
    if alone and best is not last:
        shown = _number(best, mean, table)
        yield f"Row {best.row}, {best.title}, has the {word} mean: {shown}."
    missing = [row.row for row in rows if not row.n]
    if missing:
        yield f"Rows without a finished run: {', '.join(missing)}."
    yield from _diverged(rows)


def _number(row: TableRow, mean: float, table: Table) -> str:
    runs = f"{row.n} run{'s' * (row.n > 1)}"
    unit = f" {table.measure.unit}" if table.measure.unit else ""
    return f"{accuracy(mean, row.std, decimals=table.decimals)}{unit} ({runs})"


def _verdicts(judged: Judged, where: str) -> Iterator[str]:
    """Say how many questions are decided; the answer says how."""
    words = Counter(verdict.verdict.partition(":")[0] for verdict in judged.verdicts)
    lacking = words.pop("lacks runs", 0) + words.pop("changes nothing here", 0)
    asked = words.total()
    if not asked:
        return
    undecided = words.pop(UNDECIDED, 0)
    text = f"{where}, {asked - undecided} of {asked} question{'s' * (asked > 1)} "
    text += f"{'is' if asked == 1 else 'are'} decided."
    if lacking:
        text += f" {lacking} more lack{'s' * (lacking == 1)} runs or change"
        text += f"{'s' * (lacking == 1)} nothing."
    yield text
    agreements = []
    for agreement in judged.agreements:
        interval = ""
        if agreement.low is not None:
            ends = (signed(agreement.low, 2), signed(agreement.high, 2))
            interval = f" (95 % interval {ends[0]} to {ends[1]})"
        agreements.append(
            f"{agreement.of} {signed(agreement.correlation, 2)}{interval}, {agreement.pairs} pairs"
        )
    if agreements:
        yield f"Rank correlation with the paper: {'; '.join(agreements)}."
