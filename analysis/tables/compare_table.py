"""A comparison as text: for the terminal, Markdown, LaTeX, and as data (CSV, JSON)."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table as Grid
from rich.text import Text

from analysis.compare import Compared, Comparison
from analysis.tables.cells import MISSING, accuracy, signed
from analysis.tables.latex import tabular
from analysis.tables.render import LEFT, as_markdown, check_format, rounded
from analysis.tables.terminal import printed
from analysis.tables.verdict_table import decimals_of
from analysis.verdicts.statistics import Sample
from roadmap.errors import visible
from roadmap.json_text import json_text


def render_comparison(shown: Comparison, format: str) -> str:
    """Return a comparison in one of the formats of tables; raises Problem for another."""
    check_format(format)
    return FORMATS[format](shown).rstrip("\n")


def headings(shown: Comparison) -> dict[str, str]:
    """Return the heading of each column."""
    what = "what it adds" if shown.of == "steps" else shown.judged.measure.title
    named = {"side": "side"} if len(shown.sides) > 2 else {}
    other = shown.sides[1] if len(shown.sides) == 2 else "side"
    return named | {
        "row": "row",
        "step": "step",
        "first": f"{shown.sides[0]}: {what}",
        "other": f"{other}: {what}",
        "difference": "difference",
        "interval": "95 % interval",
        "p": "p (Holm)",
        "verdict": "verdict",
    }


def cells(shown: Comparison) -> list[dict[str, str]]:
    """Return every line as text by column."""
    decimals, names = decimals_of(shown.judged), headings(shown)
    return [
        {key: text for key, text in _cell(line, decimals, shown).items() if key in names}
        for line in shown.lines
    ]


def _cell(line: Compared, decimals: int, shown: Comparison) -> dict[str, str]:
    verdict = line.verdict
    interval = MISSING
    if verdict.low is not None:
        interval = f"{signed(verdict.low, decimals)}…{signed(verdict.high, decimals)}"
    p = verdict.p
    return {
        "side": line.side,
        "row": line.row,
        "step": line.title,
        "first": _value(line.first, decimals, shown),
        "other": _value(line.other, decimals, shown),
        "difference": signed(verdict.difference, decimals),
        "interval": interval,
        "p": MISSING if p is None else "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0"),
        "verdict": {"better": "higher", "worse": "lower"}.get(verdict.verdict, verdict.verdict)
        if shown.of == "steps"
        else verdict.verdict,
    }


def _value(sample: Sample, decimals: int, shown: Comparison) -> str:
    text = accuracy(sample.mean, sample.std, sample.n, decimals=decimals)
    if shown.of == "rows":
        return text
    return f"{signed(sample.mean, decimals)} {text.partition(' ')[2]}"  # what a step adds


def remarks(shown: Comparison) -> list[str]:
    """Say what is subtracted from what, what the numbers are, and the notes."""
    judged = shown.judged
    unit = f" in {judged.measure.difference}" if judged.measure.difference else ""
    how = (
        f"mean ± sample standard deviation (runs); 95 % intervals over {judged.over}; "
        "p is adjusted by Holm over all lines"
    )
    return [f"Difference{unit}: {judged.asks}", how, *judged.notes]


def _terminal(shown: Comparison) -> str:
    letters = dict(zip(shown.sides, ascii_uppercase, strict=False))
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    names = headings(shown) | {"first": "A", "other": "B" if len(shown.sides) == 2 else "other"}
    for name, words in names.items():
        side = "left" if name in (*LEFT, "side") else "right"
        grid.add_column(Text(visible(words)), justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in cells(shown):
        row |= {"side": letters.get(row["side"], "")} if "side" in row else {}
        grid.add_row(*(Text(visible(text)) for text in row.values()))
    legend = (f"{letter}: {side}" for side, letter in letters.items())
    return printed(*legend, grid, *remarks(shown))


def _latex(shown: Comparison) -> str:
    frame = pd.DataFrame(cells(shown))
    return tabular(
        frame.rename(columns=headings(shown)),
        column_format="".join("l" if name in (*LEFT, "side") else "r" for name in frame.columns),
        environment="table*",
        caption=f"{shown.judged.title}. {'. '.join(remarks(shown))}",
        label="tab:compare",
    )


def _plain(shown: Comparison) -> list[dict[str, Any]]:
    """Return plain numbers, rounded to 10 digits to hide floating-point errors."""
    return [rounded(_fields(line, shown)) for line in shown.lines]


def _fields(line: Compared, shown: Comparison) -> dict[str, Any]:
    verdict = line.verdict
    sides: Sequence[tuple[str, Any]] = (("first", line.first), ("other", line.other))
    samples = {
        f"{name}_{key}": getattr(sample, key)
        for name, sample in sides
        for key in ("mean", "std", "n")
    }
    return {
        "first": shown.sides[0], "other": line.side, "row": line.row, "title": line.title,
        "of": shown.of, **samples, "difference": verdict.difference, "low": verdict.low,
        "high": verdict.high, "p_alone": verdict.p_alone, "p": verdict.p,
        "verdict": verdict.verdict,
    }  # fmt: skip


FORMATS = {
    "terminal": _terminal,
    "md": lambda shown: as_markdown(cells(shown), headings(shown), remarks(shown)),
    "csv": lambda shown: pd.DataFrame(_plain(shown), dtype=object).to_csv(
        index=False, lineterminator="\n"
    ),
    "latex": _latex,
    "json": lambda shown: json_text(_plain(shown)),
}
