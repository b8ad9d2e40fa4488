"""A table as text: for the terminal, Markdown, LaTeX, and as data (CSV, JSON)."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd

from analysis.cells import cells, notes
from analysis.latex import latex
from analysis.table import Table, TableRow
from analysis.terminal import terminal
from roadmap.errors import unknown

HEADINGS = {
    "row": "row",
    "step": "step",
    "top1": "top-1 %, mean ± std (n)",
    "change": "change",
    "paper_top1": "paper's top-1 %",
    "gmacs": "GMACs",
    "paper_gflops": "paper's GFLOPs",
    "params": "parameters, M",
    "images_per_second": "train img/s",
}


def render(table: Table, format: str) -> str:
    """The table in one of FORMATS, without a newline at its end; raises Problem for another.

    `csv` and `json` hold plain numbers (percent, GMACs, parameters, images/s), nothing or null
    where missing, and no notes.
    """
    check_format(format)
    return FORMATS[format](table).rstrip("\n")


def check_format(format: str) -> None:
    """Raise Problem for what is none of FORMATS."""
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)


def _markdown(table: Table) -> str:
    rows = cells(table)
    names = list(rows[0]) if rows else list(HEADINGS)
    sides = ["---" if name in ("row", "step") else "---:" for name in names]
    lines = [[HEADINGS[name] for name in names], sides]
    lines += [[row[name].replace("|", "\\|") for name in names] for row in rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    remarks = "\n".join(f"- {note}" for note in notes(table))
    return f"{text}\n\n{remarks}" if remarks else text


def _csv(table: Table) -> str:
    frame = pd.DataFrame(_plain(table), columns=[field.name for field in FIELDS], dtype=object)
    return frame.to_csv(index=False, lineterminator="\n")


def _json(table: Table) -> str:
    return json.dumps(_plain(table), indent=2, ensure_ascii=False)


def _plain(table: Table) -> list[dict]:
    """Rows as plain data, floating-point dust rounded off."""
    return [
        {
            key: round(value, 6) if isinstance(value, float) else value
            for key, value in dataclasses.asdict(row).items()
        }
        for row in table.rows
    ]


FIELDS = dataclasses.fields(TableRow)
FORMATS = {"terminal": terminal, "md": _markdown, "csv": _csv, "latex": latex, "json": _json}
