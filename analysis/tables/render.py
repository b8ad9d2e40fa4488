"""A table as text: for the terminal, Markdown, LaTeX, and as data (CSV, JSON)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis import escape
from analysis.measures import Measure
from analysis.tables.cells import cells, left_out, notes
from analysis.tables.latex import latex
from analysis.tables.table import Table, TableRow
from analysis.tables.terminal import terminal
from roadmap.errors import unknown
from roadmap.json_text import json_text

DATA_FORMATS = ("csv", "json")  # rows and nothing else, to be read by programs
LEFT = ("row", "step", "verdict")  # columns of words


def headings(measure: Measure) -> dict[str, str]:
    """Return the heading of each column."""
    return {
        "row": "row",
        "step": "step",
        "mean": f"{measure.title}, mean ± std (n)",
        "change": "change",
        "paper_mean": f"paper's {measure.title}",
        "gmacs": "GMACs",
        "paper_gflops": "paper's GFLOPs",
        "params": "parameters, M",
        "speed": "train img/s",
    }


def render(table: Table, format: str) -> str:
    """Return the table in one of FORMATS, without a final newline; raises Problem for another.

    `csv` and `json` hold plain numbers (percent, GMACs, parameters, images/s), nothing or null if
    missing, and no notes: `apart` returns those.
    """
    check_format(format)
    return FORMATS[format](table).rstrip("\n")


def check_format(format: str) -> None:
    """Raise Problem if `format` is none of FORMATS."""
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)


def apart(table: Table, format: str) -> Sequence[str]:
    """Return the notes that a table in this format has no place for."""
    return notes(table) if format in DATA_FORMATS else ()


def _markdown(table: Table) -> str:
    return as_markdown(cells(table), headings(table.measure), notes(table))


def as_markdown(
    rows: Sequence[Mapping[str, str]], headings: Mapping[str, str], remarks: Sequence[str]
) -> str:
    """Return rows of text by column under `headings`, then the remarks as a list."""
    names = list(rows[0]) if rows else list(headings)
    sides = ["---" if name in LEFT else "---:" for name in names]
    lines = [[headings[name] for name in names], sides]
    lines += [[escape.markdown(row[name]) for name in names] for row in rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    listed = "\n".join(f"- {escape.markdown(remark)}" for remark in remarks)
    return f"{text}\n\n{listed}" if listed else text


def columns(table: Table) -> dict[str, str]:
    """Return the key of each field of a row in CSV and JSON: the measure's for its mean.

    Speed has a column only if it was measured, so that older tables stay as they are.
    """
    measure = table.measure
    fields = [field.name for field in dataclasses.fields(TableRow)]
    fields = [name for name in fields if name != "speed" or name not in left_out(table)]
    taken = measure.key in fields or f"paper_{measure.key}" in fields
    key = f"mean_{measure.key}" if taken else measure.key
    return {name: name for name in fields} | {"mean": key, "paper_mean": f"paper_{key}"}


def as_csv(rows: Sequence[Any], keys: Mapping[str, str]) -> str:
    """Return dataclass values as plain numbers and words under `keys`, nothing if missing."""
    frame = pd.DataFrame(_plain(rows, keys), columns=list(keys.values()), dtype=object)
    return frame.to_csv(index=False, lineterminator="\n")


def as_json(rows: Sequence[Any], keys: Mapping[str, str]) -> str:
    """Return the same as a list of objects, null if missing."""
    return json_text(_plain(rows, keys))


def _plain(rows: Sequence[Any], keys: Mapping[str, str]) -> list[dict]:
    return [rounded({key: getattr(row, name) for name, key in keys.items()}) for row in rows]


def rounded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data with fractions rounded to 10 digits, to hide floating-point errors."""
    return {
        key: float(f"{value:.10g}") if isinstance(value, float) else value
        for key, value in fields.items()
    }


FORMATS = {
    "terminal": terminal,
    "md": _markdown,
    "csv": lambda table: as_csv(table.rows, columns(table)),
    "latex": latex,
    "json": lambda table: as_json(table.rows, columns(table)),
}
