"""Verdicts as text: for the terminal, Markdown, LaTeX, and as data (CSV, JSON)."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from analysis.cells import MISSING, signed
from analysis.latex import ascii_only
from analysis.terminal import WIDTH
from analysis.verdicts import Judged, Verdict
from roadmap.errors import unknown

HEADINGS = {
    "step": "step",
    "n": "n",
    "difference": "difference",
    "interval": "95 % interval",
    "images": "over images",
    "p": "p (Holm)",
    "better": "P(better)",
    "smallest": "sees",
    "needed": "needs",
    "verdict": "verdict",
}
LEGEND = (
    "Points of top-1. 95 % interval over seeds (Welch); p adjusted by Holm; sees: the smallest "
    "true difference that these runs show in four of five studies; needs: runs of each variant "
    "that the difference seen would take."
)


def render_verdicts(judged: Judged, format: str) -> str:
    """Verdicts in one of FORMATS, without a newline at its end; raises Problem for another."""
    check_verdict_format(format)
    return FORMATS[format](judged).rstrip("\n")


def check_verdict_format(format: str) -> None:
    """Raise Problem for what is none of FORMATS."""
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)


def cells(judged: Judged) -> list[dict[str, str]]:
    """Every verdict as text by column; an en dash is what the runs cannot tell."""
    known = [abs(each.high - each.low) for each in judged.verdicts if each.low is not None]
    decimals = 2 if known and min(known) < 0.5 else 1
    rows = [_cell(each, decimals) for each in judged.verdicts]
    if not any(each.order_std is not None for each in judged.verdicts):
        rows = [{key: text for key, text in row.items() if key != "order"} for row in rows]
    return rows


def _cell(verdict: Verdict, decimals: int) -> dict[str, str]:
    return {
        "step": verdict.step,
        "n": str(verdict.n or MISSING),
        "difference": signed(verdict.difference, decimals),
        "interval": _interval(verdict.low, verdict.high, decimals),
        "images": _interval(verdict.images_low, verdict.images_high, decimals),
        "p": _p(verdict.p),
        "better": MISSING if verdict.better is None else f"{100 * verdict.better:.0f} %",
        "smallest": MISSING if verdict.smallest is None else f"{verdict.smallest:.{decimals}f}",
        "needed": str(verdict.needed or MISSING),
        "verdict": verdict.verdict,
        "order": _order(verdict, decimals),
    }


def _interval(low: float | None, high: float | None, decimals: int) -> str:
    return MISSING if low is None else f"{signed(low, decimals)}…{signed(high, decimals)}"


def _p(p: float | None) -> str:
    return MISSING if p is None else "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _order(verdict: Verdict, decimals: int) -> str:
    if verdict.order_std is None:
        return MISSING
    return f"{verdict.order_std:.{decimals}f} (p {_p(verdict.order_p)})"


def _terminal(judged: Judged) -> str:
    """At most 80 columns."""
    console = Console(file=io.StringIO(), width=WIDTH, highlight=False, legacy_windows=False)
    console.print(" · ".join(each for each in (judged.title, judged.data) if each))
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False)
    short = {"step": ("", "step"), "n": ("", "n"), "difference": ("differ-", "ence"),
             "interval": ("95 %", "interval"), "p": ("p", "Holm"), "better": ("P(bet-", "ter)"),
             "smallest": ("", "sees"), "needed": ("", "needs"),
             "verdict": ("", "verdict")}  # fmt: skip
    for name, words in short.items():
        left = name in ("step", "verdict")
        grid.add_column(
            Text("\n".join(words), justify="left" if left else "right"),
            justify="left" if left else "right",
            no_wrap=not left,
            overflow="fold",
            max_width=21 if name == "step" else None,
        )
    for row in cells(judged):
        grid.add_row(*(Text(row[name]) for name in short))
    console.print(grid)
    for line in _remarks(judged):
        console.print(Text(line))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def _remarks(judged: Judged) -> list[str]:
    agreements = [
        f"Agreement with the paper, {each.of}: Spearman {each.correlation:+.2f} "
        f"({each.low:+.2f}…{each.high:+.2f}, {each.pairs} pairs)".replace("-", "−")
        for each in judged.agreements
    ]
    orders = [
        f"{each.step}: its worth varies by {_order(each, 1)} over orders beyond what seeds explain"
        for each in judged.verdicts
        if each.order_p is not None and each.order_p < 0.05
    ]
    return [*orders, *agreements, *judged.notes, LEGEND]


def _markdown(judged: Judged) -> str:
    rows = cells(judged)
    headings = HEADINGS | {"order": "varies over orders"}
    names = list(rows[0])
    sides = ["---" if name in ("step", "verdict") else "---:" for name in names]
    lines = [[headings[name] for name in names], sides, *([row[n] for n in names] for row in rows)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return text + "\n\n" + "\n".join(f"- {line}" for line in _remarks(judged))


def _latex(judged: Judged) -> str:
    rows = cells(judged)
    headings = HEADINGS | {"order": "orders"}
    frame = pd.DataFrame(rows).rename(columns=headings)
    text = (
        frame.style.hide(axis="index")
        .format(escape="latex")
        .format_index(escape="latex", axis=1)
        .to_latex(
            hrules=True,
            column_format="".join(
                "l" if name in ("step", "verdict") else "r" for name in frame.columns
            ),
            environment="table*",
            position="t",
            position_float="centering",
        )
    )
    return "% needs \\usepackage{booktabs}\n" + ascii_only(text)


def _plain(judged: Judged) -> list[dict]:
    return [
        {
            key: round(value, 6) if isinstance(value, float) else value
            for key, value in dataclasses.asdict(each).items()
        }
        for each in judged.verdicts
    ]


def _csv(judged: Judged) -> str:
    names: Sequence[str] = [field.name for field in dataclasses.fields(Verdict)]
    frame = pd.DataFrame(_plain(judged), columns=names, dtype=object)
    return frame.to_csv(index=False, lineterminator="\n")


def _json(judged: Judged) -> str:
    return json.dumps(_plain(judged), indent=2, ensure_ascii=False)


FORMATS = {"terminal": _terminal, "md": _markdown, "csv": _csv, "latex": _latex, "json": _json}
