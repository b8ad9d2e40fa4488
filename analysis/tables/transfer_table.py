"""Sides with different measures as text: for the terminal, Markdown, LaTeX, and as data."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table as Grid
from rich.text import Text

from analysis.tables.cells import accuracy, signed
from analysis.tables.latex import tabular
from analysis.tables.render import DATA_FORMATS, LEFT, as_markdown, check_format, rounded
from analysis.tables.terminal import printed
from analysis.transfer import Line, Pair, Transfer
from roadmap.errors import visible
from roadmap.json_text import json_text

FEW = 2  # sides whose intervals fit 80 columns


def render_transfer(shown: Transfer, format: str) -> str:
    """Return the sides in one of the formats of tables; raises Problem for another.

    `csv` and `json` have plain numbers and no sentences: `transfer_apart` returns those.
    """
    check_format(format)
    return FORMATS[format](shown).rstrip("\n")


def transfer_apart(shown: Transfer, format: str) -> list[str]:
    """Return the sentences that a table in this format has no place for."""
    return remarks(shown) if format in DATA_FORMATS else []


def remarks(shown: Transfer) -> list[str]:
    """Say first whether the sides agree, then what the numbers are, then the notes."""
    how = [
        "what a step adds with its 95 % interval over seeds (Welch) and images; * better or worse "
        "at 5 %, adjusted by Holm over the steps of the side"
        if shown.of == "steps"
        else "mean ± sample standard deviation (runs)",
        "the noise of runs makes a rank correlation smaller than that of the true effects",
    ]
    return [*map(sentence, shown.pairs), *how, *shown.notes]


def sentence(pair: Pair) -> str:
    """Say how two sides agree."""
    what = "what steps add" if pair.of == "steps" else "rows"
    text = f"{pair.first} and {pair.other}: rank correlation of {what} "
    if pair.correlation is None:
        return f"{text}unknown, as it needs four {pair.of} that differ"
    text += signed(pair.correlation, 2)
    if pair.low is not None:
        text += f" (95 % interval {signed(pair.low, 2)} to {signed(pair.high, 2)})"
    text += f", {pair.lines} {pair.of}"
    return text if pair.same is None else f"{text}; the same sign in {pair.same}"


def _cells(shown: Transfer, *, intervals: bool = True) -> list[dict[str, str]]:
    return [
        {"row": line.row, "step": line.title}
        | {
            f"side {place}": _cell(shown, line, place, intervals=intervals)
            for place in range(len(shown.sides))
        }
        for line in shown.lines
    ]


def _cell(shown: Transfer, line: Line, place: int, *, intervals: bool) -> str:
    decimals = shown.measures[place].decimals
    if shown.of == "rows":
        sample = line.samples[place]
        return accuracy(sample.mean, sample.std, sample.n, decimals=decimals)
    verdict = line.verdicts[place]
    star = "*" if verdict.verdict in ("better", "worse") else ""
    text = f"{signed(verdict.difference, decimals)}{star}"
    if verdict.low is None or not intervals:
        return text
    return f"{text} ({signed(verdict.low, decimals)}…{signed(verdict.high, decimals)})"


def _headings(shown: Transfer) -> dict[str, str]:
    named = {
        f"side {place}": f"{name}: {measure.title}"
        for place, (name, measure) in enumerate(zip(shown.sides, shown.measures, strict=True))
    }
    return {"row": "row", "step": "step", **named}


def _terminal(shown: Transfer) -> str:
    sides = zip(ascii_uppercase, list(_headings(shown).values())[2:], strict=False)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    grid.add_column("row")
    grid.add_column("step", overflow="fold")
    for letter in ascii_uppercase[: len(shown.sides)]:
        grid.add_column(letter, justify="right", no_wrap=True)
    intervals = len(shown.sides) <= FEW or shown.of == "rows"
    for cells in _cells(shown, intervals=intervals):
        grid.add_row(*(Text(visible(text)) for text in cells.values()))
    hints = ["intervals are in the other formats (--format md)"] if not intervals else []
    legend = (f"{letter}: {words}" for letter, words in sides)
    return printed(*legend, grid, *remarks(shown), *hints)


def _latex(shown: Transfer) -> str:
    frame = pd.DataFrame(_cells(shown))
    return tabular(
        frame.rename(columns=_headings(shown)),
        column_format="".join("l" if name in LEFT else "r" for name in frame.columns),
        environment="table*",
        caption=". ".join(remarks(shown)),
        label="tab:transfer",
    )


def _plain(shown: Transfer) -> list[dict[str, Any]]:
    """Return a line for each row and side, rounded to 10 digits."""
    lines = []
    for line in shown.lines:
        for place, (side, measure) in enumerate(zip(shown.sides, shown.measures, strict=True)):
            sample = line.samples[place]
            made: dict[str, Any] = {
                "side": side, "measure": measure.key, "row": line.row, "title": line.title,
                "of": shown.of, "mean": sample.mean, "std": sample.std, "n": sample.n,
            }  # fmt: skip
            if line.verdicts:
                own = line.verdicts[place]
                made |= {"difference": own.difference, "low": own.low, "high": own.high,
                         "p_alone": own.p_alone, "p": own.p, "verdict": own.verdict}  # fmt: skip
            lines.append(made)
    return [rounded(made) for made in lines]


def _json(shown: Transfer) -> str:
    agreements = [
        {"first": pair.first, "other": pair.other, "of": pair.of, "lines": pair.lines,
         "correlation": pair.correlation, "low": pair.low, "high": pair.high, "same": pair.same}
        for pair in shown.pairs
    ]  # fmt: skip
    return json_text({"lines": _plain(shown), "agreements": agreements})


FORMATS = {
    "terminal": _terminal,
    "md": lambda shown: as_markdown(_cells(shown), _headings(shown), remarks(shown)),
    "csv": lambda shown: pd.DataFrame(_plain(shown), dtype=object).to_csv(
        index=False, lineterminator="\n"
    ),
    "latex": _latex,
    "json": _json,
}
