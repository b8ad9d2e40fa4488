"""Verdicts as text: for the terminal, Markdown, LaTeX, and as data (CSV, JSON)."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from analysis.tables.cells import MISSING, signed
from analysis.tables.latex import finished, plain, tabular
from analysis.tables.render import DATA_FORMATS, LEFT, as_csv, as_json, as_markdown, check_format
from analysis.tables.terminal import WIDTH
from analysis.verdicts.verdict import Judged, Verdict

HEADINGS = {
    "step": "step",
    "n": "n",
    "difference": "difference",
    "interval": "95 % interval",
    "images": "over images",
    "p": "p (Holm)",
    "better": "P>0",
    "smallest": "sees",
    "needed": "needs",
    "verdict": "verdict",
}
LEGEND = (
    "Points of top-1. n: runs of a variant, of that with fewest; 95 % interval over {over}; p "
    "adjusted by Holm over all steps of the study; P>0: the probability that the true difference "
    "is above zero; sees: the smallest true difference that these runs would decide in four of "
    "five studies; needs: runs of each variant that the difference seen would take (–: decided, "
    "no spread, or above 1,000)."
)


def render_verdicts(judged: Judged, format: str) -> str:
    """Verdicts in one of FORMATS, without a newline at its end; raises Problem for another."""
    check_format(format)
    return FORMATS[format](judged).rstrip("\n")


def verdicts_apart(judged: Judged, format: str) -> Sequence[str]:
    """What there is to say beside verdicts in a format that has no place for it."""
    return _findings(judged) if format in DATA_FORMATS else ()


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
    console.print(Text(" · ".join(each for each in (judged.title, judged.data) if each)))
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False)
    short = {"step": ("", "step"), "n": ("", "n"), "difference": ("", "diff."),
             "interval": ("95 %", "interval"), "p": ("p", "Holm"), "better": ("", "P>0"),
             "smallest": ("", "sees"), "needed": ("", "needs"),
             "verdict": ("", "verdict")}  # fmt: skip
    longest = max((len(word) for each in judged.verdicts for word in each.step.split()), default=4)
    for name, words in short.items():
        left = name in ("step", "verdict")
        grid.add_column(
            Text("\n".join(words), justify="left" if left else "right"),
            justify="left" if left else "right",
            no_wrap=not left,
            overflow="fold",
            min_width=longest if name == "step" else None,
            max_width=21 if name == "step" else None,
        )
    for row in cells(judged):
        grid.add_row(*(Text(row[name]) for name in short))
    asks, *rest = remarks(judged)
    console.print(Text(asks))
    console.print(grid)
    if any(each.images_low is not None for each in judged.verdicts):
        rest.append("Intervals over validation images: the other formats (--format md) have them.")
    for line in rest:
        console.print(Text(line))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def remarks(judged: Judged) -> list[str]:
    """What is subtracted from what, what there is to say of verdicts, what their columns are."""
    over = "orders and seeds" if judged.by_order else "seeds (Welch)"
    return [f"Difference: {judged.asks}", *_findings(judged), LEGEND.format(over=over)]


def _findings(judged: Judged) -> list[str]:
    agreements = [
        f"Agreement with the paper, {each.of}: Spearman {signed(each.correlation, 2)} "
        f"({_interval(each.low, each.high, 2)}, {each.pairs} pairs)"
        for each in judged.agreements
    ]
    orders = [
        f"{each.step}: its worth varies by {_order(each, 1)} over orders beyond what seeds explain"
        for each in judged.verdicts
        if each.order_p is not None and each.order_p < 0.05
    ]
    return [*orders, *agreements, *judged.notes]


def _markdown(judged: Judged) -> str:
    headings = HEADINGS | {"order": "varies over orders"}
    return as_markdown(cells(judged), headings, remarks(judged))


def _latex(judged: Judged) -> str:
    frame = pd.DataFrame(cells(judged))
    sides = "".join("l" if name in LEFT else "r" for name in frame.columns)
    frame = frame.rename(columns=HEADINGS | {"order": "orders"})
    where = f" on {judged.data}" if judged.data else ""
    caption = f"{judged.title}: what each step is worth{where}. {'. '.join(remarks(judged))}"
    options = {
        "environment": "table*",
        "caption": plain(caption),
        "label": f"tab:verdicts-{judged.name}",
    }
    return finished(tabular(frame, column_format=sides, **options))


FORMATS = {
    "terminal": _terminal,
    "md": _markdown,
    "csv": lambda judged: as_csv(judged.verdicts, Verdict),
    "latex": _latex,
    "json": lambda judged: as_json(judged.verdicts),
}
