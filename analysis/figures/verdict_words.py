"""Verdicts in the words of a figure and of its caption."""

from __future__ import annotations

from analysis.notes import sentences
from analysis.tables.cells import span
from analysis.verdicts.verdict import ALPHA, UNDECIDED, Judged, Verdict

WITHIN = "no difference larger than "
NO_SPREAD = f"{UNDECIDED}: no spread"


def is_decided(verdict: Verdict) -> bool:
    """Whether a step is better or worse."""
    return verdict.verdict in ("better", "worse")


def varies(verdict: Verdict) -> bool:
    """Whether the worth of a step depends on the order."""
    return verdict.order_p is not None and verdict.order_p < ALPHA


def short_verdict(verdict: Verdict, *, roomy: bool) -> str:
    """Return a verdict in a word or two, and whether it depends on the order; `roomy` how much."""
    order = (f", varies ±{verdict.order_std:.1f}" if roomy else " *") if varies(verdict) else ""
    if verdict.verdict == NO_SPREAD:
        return "no verdict"
    if verdict.verdict.startswith(WITHIN):
        return "within ±" + verdict.verdict.rpartition(" ")[2] + order
    return verdict.verdict.partition(":")[0] + order


def summary(judged: Judged) -> str:
    """Return what the figure shows, and from how many runs."""
    where = judged.data or "no data yet"
    runs = span(verdict.n for verdict in judged.verdicts if verdict.difference is not None)
    return f"{judged.title}: what each step adds to {judged.measure.words} on {where}. n = {runs}."


def details(judged: Judged) -> str:
    """Return how to read the figure, and how the verdicts were found."""
    unit = f" {judged.measure.difference}" if judged.measure.difference else ""
    if judged.margin == 1 and unit == " points":
        unit = " point"
    square = f"no difference larger than {judged.margin:g}{unit}, the grey band"
    parts = [
        f"Thick lines: 95 % intervals over {judged.over}; an arrow marks one longer than the axis.",
        "Thin lines: the same after Holm's adjustment; one without zero is a verdict.",
        "Filled: better or worse at 5 % after the adjustment; hollow: undecided"
        + (f"; square: {square}." if judged.margin else "."),
        "No verdict: a side has one run, so that there is no spread."
        if any(verdict.verdict == NO_SPREAD for verdict in judged.verdicts)
        else "",
        "Small dots: what the step added in each sampled order." if judged.by_order else "",
        _dependence(judged),
        f"Recipe: {judged.recipe}." if judged.recipe else "",
        sentences(judged.notes),
    ]
    return " ".join(part for part in parts if part)


def _dependence(judged: Judged) -> str:
    """Return the steps whose worth depends on the order, each with how much."""
    steps = [
        f"{verdict.title} ±{verdict.order_std:.1f}"
        for verdict in judged.verdicts
        if varies(verdict)
    ]
    if not steps:
        return ""
    return (
        '"varies" or *: the worth depends on the order, by more than seeds explain (standard '
        f"deviation over orders, in points): {', '.join(steps)}."
    )
