"""A table for a paper: LaTeX with booktabs, ASCII only, so that every engine compiles it."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import pandas as pd

from analysis.measures import Measure
from analysis.notes import sentences
from analysis.selection import REFERENCE
from analysis.tables.cells import cells, notes
from analysis.tables.table import Table

SIGNS = {"→": r"$\rightarrow$", "±": r"$\pm$", "−": "$-$", "–": "--", "†": r"$\dagger$",
         "×": r"$\times$", "·": r"$\cdot$", "≥": r"$\geq$", "≤": r"$\leq$",
         "…": r"\dots{}", "<": "$<$", ">": "$>$", "|": r"$|$"}  # fmt: skip


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
        "images_per_second": ("Train", "img/s"),
    }


def latex(table: Table) -> str:
    r"""A `table` environment to \input; the document needs \usepackage{booktabs}, nothing else."""
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
        caption=plain(_caption(table)),
        label="tab:roadmap",
    )
    lines = _spaced(text.splitlines(), table)
    return finished("\n".join(lines))


def tabular(frame: pd.DataFrame, **options: str) -> str:
    """A frame of text between booktabs' rules, small, its special characters escaped."""
    escaped = frame.style.hide(axis="index").format(escape="latex")
    text = escaped.format_index(escape="latex", axis=1).to_latex(
        hrules=True, position="t", position_float="centering", **options
    )
    return text.replace(r"\begin{tabular}", _COMPACT + r"\begin{tabular}")


def finished(text: str) -> str:
    """A table's text in ASCII, with what the document needs said above it."""
    return "% needs \\usepackage{booktabs}\n" + _ascii(text)


def document(*tables: str) -> str:
    """Tables as a document that compiles as it is."""
    head = ("\\documentclass{article}", "\\usepackage[margin=2cm]{geometry}",
            "\\usepackage{booktabs}", "\\begin{document}")  # fmt: skip
    return "\n".join([*head, *tables, "\\end{document}", ""])


# Small, and with narrow gaps: nine columns have to fit the text width of an article.
_COMPACT = "\\footnotesize\n\\setlength{\\tabcolsep}{3pt}\n"


def _reference(cell: dict[str, str]) -> dict[str, str]:
    """The long name of a timm model in the wide column."""
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
    """A rule under the headings that span columns, a little space between groups."""
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
    """The short rules under a line of headings, one per \\multicolumn."""
    column, rules = 1, []
    for cell in line.removesuffix(r"\\").split("&"):
        span = re.search(r"\\multicolumn\{(\d+)\}\{c\}\{[^}]", cell)
        width = int(re.search(r"\\multicolumn\{(\d+)\}|$", cell).group(1) or 1)
        if span:
            rules.append(rf"\cmidrule(lr){{{column}-{column + width - 1}}}")
        column += width
    return " ".join(rules)


def plain(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return re.sub(r"[\\~^&%$#_{}]", lambda sign: special.get(sign[0], "\\" + sign[0]), text)


def _ascii(text: str) -> str:
    """Signs that pdflatex does not know as commands, straight quotes as pairs; `?` for others."""
    text = re.sub(r'"([^"\n]*)"', r"``\1''", text)
    text = "".join(SIGNS.get(sign, sign) for sign in text if sign.isprintable() or sign == "\n")
    return unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode()
