"""The report row by row: what a row is, what it changes, what it costs and what it brought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.colours import colour
from analysis.figures.block import draw_block
from analysis.figures.curves import draw_row_curves
from analysis.report.contents import Contents
from analysis.report.inline import inline, themed
from analysis.tables.cells import accuracy, signed
from analysis.tables.costs import cost_rows
from analysis.tables.explanation import changes, cost_lines, paper_words
from roadmap.rows import Row


@dataclass(frozen=True, kw_only=True)
class RowPart:
    """A row's share of the page; texts are plain, `block` and `curves` are SVG or nothing."""

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
    curves: str
    runs: tuple[tuple[str, str], ...]
    previous: str
    next: str


def row_parts(contents: Contents) -> Iterator[RowPart]:
    """Each row's, in order."""
    rows = list(contents.subject.fitted)
    costs = {each["row"]: each for each in cost_rows(contents.subject.fitted)}
    for place, row in enumerate(rows):
        curves = draw_row_curves(row, contents.subject.selection)
        heading, changed = changes(row)
        name = f"row {row.number}"
        yield RowPart(
            number=row.number,
            title=row.title,
            group=row.group,
            colour=themed(colour(row.group)),
            explanation=tuple(" ".join(each.split()) for each in row.explanation.split("\n\n")),
            result=_result(contents, row),
            paper=paper_words(costs, row),
            heading=heading,
            changes=tuple(changed),
            before=row.before.number if row.before else "",
            costs=tuple(cost_lines(costs, row)),
            block=inline(draw_block(row), f"block-{row.number}", f"network and block of {name}"),
            curves=inline(curves, f"curves-{row.number}", f"curves of {name}") if curves else "",
            runs=tuple(_runs(contents, row)),
            previous=rows[place - 1].number if place else "",
            next=rows[place + 1].number if place + 1 < len(rows) else "",
        )


def _result(contents: Contents, row: Row) -> str:
    """What its runs brought, and what was made of it."""
    found = next(each for each in contents.subject.table.rows if each.row == row.number)
    if found.top1 is None:
        return f"{found.diverged} runs diverged." if found.diverged else "No finished runs yet."
    decimals = contents.subject.table.decimals
    text = f"Ours: {accuracy(found.top1, found.std, decimals=decimals)} % top-1"
    text += f" over {found.n} runs" if found.n > 1 else " in one run"
    if found.change is None:
        return f"{text}."
    text += f", {signed(found.change, decimals)} from row {row.before.number}"
    names = (row.number,) if row.is_branch else (row.step, f"{row.step}-{row.number}")
    verdicts = [each.verdict for each in contents.subject.judged.verdicts if each.step in names]
    return f"{text}: {verdicts[0]}." if verdicts else f"{text}."


def _runs(contents: Contents, row: Row) -> Iterator[tuple[str, str]]:
    """What identifies a row's runs, each with how it is called in a list."""
    mine = {run.identity.run for run in contents.subject.selection.rows.get(row.number, ())}
    for key, run in contents.runs.items():
        if key in mine:
            record = run.record
            result = record.status if record.top1 is None else f"{record.top1:.1f} %"
            yield key, f"seed {record.identity.seed} {result}"
