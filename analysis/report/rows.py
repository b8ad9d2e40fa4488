"""The report row by row: what a row is, what it changes, what it costs, and its results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from analysis.colours import colour
from analysis.figures.block import draw_block
from analysis.figures.drawn import Images
from analysis.report.contents import Contents
from analysis.report.inline import inline, themed
from analysis.tables.cells import accuracy, signed
from analysis.tables.costs import cost_rows
from analysis.tables.explanation import changes, cost_lines, paper_words
from roadmap.rows import Row
from roadmap.text import counted


@dataclass(frozen=True, kw_only=True)
class RowPart:
    """The part of the page for one row; texts are plain, `block` is SVG."""

    number: str
    title: str
    group: str
    colour: str
    explanation: tuple[str, ...]
    result: str
    paper: str
    heading: str
    changes: tuple[str, ...]
    before: str
    costs: tuple[tuple[str, ...], ...]
    block: str
    runs: tuple[tuple[str, str], ...]
    previous: str
    next: str


def row_parts(contents: Contents, cache: Images) -> Iterator[RowPart]:
    """Yield the part of each row, in order."""
    subject = contents.subject
    rows = list(subject.fitted)
    costs = {row["row"]: row for row in cost_rows(subject.fitted)}
    for place, row in enumerate(rows):
        heading, changed = changes(row)
        yield RowPart(
            number=row.number,
            title=row.title,
            group=row.group,
            colour=themed(colour(row.group)),
            explanation=tuple(" ".join(text.split()) for text in row.explanation.split("\n\n")),
            result=_result(contents, row),
            paper=paper_words(costs, row, subject.fitted.paper) if subject.paper else "",
            heading=heading,
            changes=tuple(changed),
            before=row.before.number if row.before else "",
            costs=tuple(cost_lines(costs, row)),
            block=_block(row, cache),
            runs=tuple(_runs(contents, row)),
            previous=rows[place - 1].number if place else "",
            next=rows[place + 1].number if place + 1 < len(rows) else "",
        )


def _block(row: Row, cache: Images) -> Markup:
    """Return the diagram of a row's network and block."""
    before = row.before.spec.fingerprint if row.before else ""
    key = ["block", row.number, row.title, row.group, row.spec.fingerprint, before]
    title = f"network and block of row {row.number}"
    return cache.get(key, lambda: inline(draw_block(row), f"block-{row.number}", title))


def _result(contents: Contents, row: Row) -> str:
    """Return the result of a row's runs, and the verdict."""
    table, measure = contents.subject.table, contents.subject.measure
    shown = next(line for line in table.rows if line.row == row.number)
    if shown.mean is None:
        return (
            f"{counted(shown.diverged, 'run')} diverged."
            if shown.diverged
            else "No finished runs yet."
        )
    number = accuracy(shown.mean, shown.std, decimals=table.decimals)
    text = " ".join(word for word in ("Ours:", number, measure.unit, measure.label) if word)
    text += f" over {shown.n} runs" if shown.n > 1 else " in one run"
    if shown.change is None or row.before is None:
        return f"{text}."
    text += f", {signed(shown.change, table.decimals)} from row {row.before.number}"
    names = (row.number,) if row.is_branch else (row.step, f"{row.step}-{row.number}")
    verdicts = [one.verdict for one in contents.subject.judged.verdicts if one.step in names]
    return f"{text}: {verdicts[0]}." if verdicts else f"{text}."


def _runs(contents: Contents, row: Row) -> Iterator[tuple[str, str]]:
    """Yield the identity of each of a row's runs, with its name in a list."""
    measure = contents.subject.measure
    own = {run.identity.run for run in contents.subject.selection.rows.get(row.number, ())}
    for key, run in contents.runs.items():
        if key in own:
            record = run.record
            number = measure.read(record) if record.status == "finished" else None
            result: str = record.status
            if number is not None:
                result = f"{number:.{measure.decimals}f} {measure.unit}".strip()
            yield key, f"seed {record.identity.seed} {result}"
