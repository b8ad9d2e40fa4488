"""Verdicts as text: for the terminal, Markdown, LaTeX, and as data (CSV, JSON)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table as Grid
from rich.text import Text

from analysis.measures import Measure
from analysis.tables.cells import MISSING, signed
from analysis.tables.latex import tabular
from analysis.tables.render import DATA_FORMATS, LEFT, as_csv, as_json, as_markdown, check_format
from analysis.tables.terminal import printed
from analysis.verdicts.verdict import Judged, Verdict
from roadmap.errors import visible

LEGEND = (
    "{unit}. n: the smallest number of runs of a variant. 95 % interval over {over}. p is adjusted "
    "by Holm over all steps of the study. {sign}: probability that the true difference is {side} "
    "zero, shrunk by what the other steps show. MDE: minimum detectable effect, the smallest true "
    "difference that these runs decide with 80 % power. Runs needed: runs per variant to decide "
    "the largest and the smallest effect in the 80 % interval (–: decided, no spread, or above "
    "1,000)."
    "{margin}{diverged}"
)


def headings(judged: Judged) -> dict[str, str]:
    """Return the heading of each column."""
    return {
        "step": "step",
        "n": "n",
        "difference": "difference",
        "interval": "95 % interval",
        "seeds": "over seeds",
        "images": "over images",
        "p": "p (Holm)",
        "better": _sign(judged.measure),
        "smallest": "MDE",
        "needed": "runs needed",
        "verdict": "verdict",
        "order": "varies over orders",
        "diverged": "diverged",
    }


def _sign(measure: Measure) -> str:
    return "P>0" if measure.better == "higher" else "P<0"


def _legend(judged: Judged) -> str:
    measure = judged.measure
    unit = f"{measure.difference} of {measure.label}" if measure.difference else measure.label
    return LEGEND.format(
        unit=f"{unit[:1].upper()}{unit[1:]}",
        over=judged.over,
        sign=_sign(measure),
        side="above" if measure.better == "higher" else "below",
        margin=_margin(judged),
        diverged=" Diverged: runs of the variants that are added − that are subtracted."
        if any(verdict.diverged or verdict.diverged_before for verdict in judged.verdicts)
        else "",
    )


def _margin(judged: Judged) -> str:
    """Say how small a difference must be for a verdict of no difference."""
    if not judged.margin:
        return ""
    unit = judged.measure.difference
    unit = unit.removesuffix("s") if judged.margin == 1 else unit
    return f" No difference: the 95 % interval lies within ±{judged.margin:g} {unit}, the margin."


def render_verdicts(judged: Judged, format: str) -> str:
    """Return verdicts in one of FORMATS, without a final newline; raises Problem for another."""
    check_format(format)
    return FORMATS[format](judged).rstrip("\n")


def verdicts_apart(judged: Judged, format: str) -> Sequence[str]:
    """Return the notes on verdicts that a table in this format has no place for."""
    return _findings(judged) if format in DATA_FORMATS else ()


def cells(judged: Judged) -> list[dict[str, str]]:
    """Return every verdict as text by column; an en dash is what the runs cannot tell."""
    decimals = decimals_of(judged)
    rows = [_cell(verdict, decimals) for verdict in judged.verdicts]
    absent = set() if judged.new_images else {"seeds"}  # it would repeat the whole interval
    if not any(verdict.order_std is not None for verdict in judged.verdicts):
        absent.add("order")
    if not any(verdict.diverged or verdict.diverged_before for verdict in judged.verdicts):
        absent.add("diverged")
    return [{key: text for key, text in row.items() if key not in absent} for row in rows]


def decimals_of(judged: Judged) -> int:
    """Return the measure's decimals, or one more if an interval is narrower than 5 of the last."""
    widths = [
        verdict.high - verdict.low
        for verdict in judged.verdicts
        if verdict.low is not None and verdict.high is not None
    ]
    decimals = judged.measure.decimals
    return decimals + 1 if widths and min(widths) < 5 / 10**decimals else decimals


def _cell(verdict: Verdict, decimals: int) -> dict[str, str]:
    return {
        "step": verdict.step,
        "n": str(verdict.n or MISSING),
        "difference": signed(verdict.difference, decimals),
        "interval": _interval(verdict.low, verdict.high, decimals),
        "seeds": _interval(verdict.seeds_low, verdict.seeds_high, decimals),
        "images": _interval(verdict.images_low, verdict.images_high, decimals),
        "p": _p(verdict.p),
        "better": MISSING if verdict.better is None else f"{100 * verdict.better:.0f} %",
        "smallest": MISSING if verdict.smallest is None else f"{verdict.smallest:.{decimals}f}",
        "needed": _needed(verdict),
        "verdict": verdict.verdict,
        "order": _order(verdict, decimals),
        "diverged": f"{verdict.diverged} − {verdict.diverged_before}",
    }


def _interval(low: float | None, high: float | None, decimals: int) -> str:
    return MISSING if low is None else f"{signed(low, decimals)}…{signed(high, decimals)}"


def _p(p: float | None) -> str:
    return MISSING if p is None else "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _needed(verdict: Verdict) -> str:
    if verdict.needed_low is None:
        return MISSING
    return f"{verdict.needed_low}…{verdict.needed_high or '>1000'}"


def _order(verdict: Verdict, decimals: int) -> str:
    if verdict.order_std is None:
        return MISSING
    return f"{verdict.order_std:.{decimals}f} (p {_p(verdict.order_p)})"


def _terminal(judged: Judged) -> str:
    """Return verdicts in at most 80 columns."""
    title = " · ".join(part for part in (judged.title, judged.data) if part)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False)
    short = {
        "step": "\nstep",
        "n": "\nn",
        "difference": "\ndiff.",
        "interval": "95 %\ninterval",
        "p": "p\nHolm",
        "better": f"\n{_sign(judged.measure)}",
        "smallest": "\nMDE",
        "needed": "runs\nneeded",
        "verdict": "\nverdict",
    }
    longest = max(
        (len(word) for verdict in judged.verdicts for word in verdict.step.split()), default=4
    )
    for name, words in short.items():
        left = name in ("step", "verdict")
        grid.add_column(
            Text(words, justify="left" if left else "right"),
            justify="left" if left else "right",
            no_wrap=not left,
            overflow="fold",
            min_width=longest if name == "step" else None,
            max_width=21 if name == "step" else None,
        )
    for row in cells(judged):
        grid.add_row(*(Text(visible(row[name])) for name in short))
    asks, *rest = remarks(judged)
    if any(verdict.images_low is not None for verdict in judged.verdicts):
        rest.append("Intervals over seeds or images alone are in the other formats (--format md).")
    return printed(title, asks, grid, *rest)


def remarks(judged: Judged) -> list[str]:
    """Say what is subtracted from what, then the findings and what the columns are."""
    return [f"Difference: {judged.asks}", *_findings(judged), _legend(judged)]


def _findings(judged: Judged) -> list[str]:
    agreements = [
        f"Agreement with the paper, {agreement.of}: Spearman {signed(agreement.correlation, 2)} "
        f"({_interval(agreement.low, agreement.high, 2)}, {agreement.pairs} pairs)"
        for agreement in judged.agreements
    ]
    orders = [
        f"{verdict.step}: its worth varies by {_order(verdict, judged.measure.decimals)} over "
        "orders beyond what seeds explain"
        for verdict in judged.verdicts
        if verdict.order_p is not None and verdict.order_p < 0.05
    ]
    return [*orders, *agreements, *judged.notes]


def _markdown(judged: Judged) -> str:
    return as_markdown(cells(judged), headings(judged), remarks(judged))


def _latex(judged: Judged) -> str:
    frame = pd.DataFrame(cells(judged))
    sides = "".join("l" if name in LEFT else "r" for name in frame.columns)
    where = f" on {judged.data}" if judged.data else ""
    return tabular(
        frame.rename(columns=headings(judged) | {"order": "orders"}),
        column_format=sides,
        environment="table*",
        caption=f"{judged.title}: what each step is worth{where}. {'. '.join(remarks(judged))}",
        label=f"tab:verdicts-{re.sub(r'[^A-Za-z0-9.-]', '-', judged.name)}",
    )


COLUMNS = {field.name: field.name for field in dataclasses.fields(Verdict)}
# CSV has the columns that it always had, so that tables of old records stay the same.
CSV_COLUMNS = {name: key for name, key in COLUMNS.items() if not name.startswith("adjusted_")}
FORMATS = {
    "terminal": _terminal,
    "md": _markdown,
    "csv": lambda judged: as_csv(judged.verdicts, CSV_COLUMNS),
    "latex": _latex,
    "json": lambda judged: as_json(judged.verdicts, COLUMNS),
}
