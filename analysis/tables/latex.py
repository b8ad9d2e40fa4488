"""A table for a paper: LaTeX with booktabs, ASCII only, so that every engine compiles it."""

from __future__ import annotations

import re
from itertools import pairwise

import pandas as pd

from analysis import escape
from analysis.measures import Measure
from analysis.notes import sentences
from analysis.selection import REFERENCE
from analysis.tables.cells import cells, notes
from analysis.tables.table import Table


def _headings(measure: Measure) -> dict[str, tuple[str, str]]:
    words = f"{measure.words[:1].upper()}{measure.words[1:]}"
    measured = f"{words} ({measure.unit})" if measure.unit else words
    return {
        "row": ("", "Row"),
        "step": ("", "Step"),
        "mean": (measured, "mean ± std (n)"),
        "change": (measured, "change"),
        "paper_mean": (measured, "paper"),
        "gmacs": ("GMACs", "here"),
        "paper_gflops": ("GMACs", "paper"),
        "params": ("Params", "(M)"),
        "speed": ("Train", "img/s"),
    }


def latex(table: Table) -> str:
    r"""Return a `table` environment to \input; the document needs \usepackage{booktabs} only."""
    rows = [_reference(row) if row["row"].startswith(REFERENCE) else row for row in cells(table)]
    headings = _headings(table.measure)
    frame = pd.DataFrame(rows, columns=list(rows[0]) if rows else list(headings))
    names = list(frame.columns)
    frame.columns = pd.MultiIndex.from_tuples([headings[name] for name in names])
    text = tabular(
        frame,
        column_format="".join("l" if name in ("row", "step", "mean") else "r" for name in names),
        multicol_align="c",
        environment="table",
        caption=_caption(table),
        label="tab:roadmap",
    )
    return "\n".join(_spaced(text.splitlines(), table))


def tabular(frame: pd.DataFrame, *, caption: str, label: str, **layout: str) -> str:
    """Return a frame of text between booktabs' rules, in small type, everything escaped.

    `layout` is what pandas' `Styler.to_latex` takes.
    """
    escaped = frame.map(escape.latex).rename(columns=escape.latex)
    text = escaped.style.hide(axis="index").to_latex(
        hrules=True,
        position="t",
        position_float="centering",
        caption=escape.latex(caption),
        label=label,
        **layout,
    )
    return _NEEDS + text.replace(r"\begin{tabular}", _COMPACT + r"\begin{tabular}")


def document(*tables: str) -> str:
    """Return a document with tables that compiles as it is."""
    head = ("\\documentclass{article}", "\\usepackage[margin=2cm]{geometry}",
            "\\usepackage{booktabs}", "\\begin{document}")  # fmt: skip
    return "\n".join([*head, *tables, "\\end{document}", ""])


_NEEDS = "% needs \\usepackage{booktabs}\n"
# Small, and with narrow gaps: nine columns have to fit the text width of an article.
_COMPACT = "\\footnotesize\n\\setlength{\\tabcolsep}{3pt}\n"


def _reference(cell: dict[str, str]) -> dict[str, str]:
    """Put the long name of a timm model in the wide column."""
    return cell | {"row": "", "step": f"{cell['row']} {cell['step']}".strip()}


def _caption(table: Table) -> str:
    sizes = f" ({table.sizes})" if table.sizes else ""
    where = f" on {table.data}{sizes}" if table.data else ""
    recipe = f" Recipe: {table.recipe}." if table.recipe else ""
    remarks = sentences(notes(table))
    return (
        f"{table.title}: {table.measure.words}{where} in the last epoch, mean and sample standard "
        f"deviation over n runs; change from the row it starts from.{recipe} {remarks}".rstrip()
    )


def _spaced(lines: list[str], table: Table) -> list[str]:
    """Add rules under the headings that span columns, and a little space between groups."""
    top, middle = lines.index(r"\toprule"), lines.index(r"\midrule")
    after = {
        middle + 1 + index
        for index, (row, following) in enumerate(pairwise(table.rows))
        if row.group != following.group
    }
    spaced = []
    for index, line in enumerate(lines):
        spaced.append(line + (r" \addlinespace[2pt]" if index in after else ""))
        if index == top + 1:
            spaced.append(_rules(line))
    return spaced


def _rules(line: str) -> str:
    """Return the short rules under a line of headings, one per \\multicolumn."""
    column, rules = 1, []
    for cell in line.removesuffix(r"\\").split("&"):
        is_named = re.search(r"\\multicolumn\{\d+\}\{c\}\{[^}]", cell)
        spans = re.search(r"\\multicolumn\{(\d+)\}", cell)
        width = int(spans[1]) if spans else 1
        if is_named:
            rules.append(rf"\cmidrule(lr){{{column}-{column + width - 1}}}")
        column += width
    return " ".join(rules)
