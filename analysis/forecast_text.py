"""What a study will take, in words."""

from __future__ import annotations

import textwrap
from typing import Protocol

from steps.studies import Study

WIDTH = 80


class Forecast(Protocol):
    """Runs of a study and those there; MACs; hours where runs before tell the speed."""

    runs: int
    there: int
    macs: float
    macs_missing: float
    hours: float | None
    measured: int


def forecast_text(study: Study, found: Forecast, seeds: int, jobs: int) -> str:
    """The plan of a study in at most 80 columns."""
    lines = [
        study.roadmap.title,
        f"  variants     {len(study.roadmap.rows)}, each with {_counted(seeds, 'seed')}",
        f"  runs         {found.runs}, of which {found.there} are finished",
        f"  MACs         {_macs(found.macs)}, of which {_macs(found.macs_missing)} are to do",
        f"  time         {_time(found, jobs)}",
        f"  verdicts     {len(study.contrasts)}, margin {study.margin:g} points",
    ]
    for step, why in study.left_out.items():
        lines.append(f"  left out     {step}: {why}")
    return "\n".join(
        textwrap.fill(line, WIDTH, subsequent_indent=" " * 15) if line.startswith("  ") else line
        for line in lines
    )


def _time(found: Forecast, jobs: int) -> str:
    at_a_time = _counted(jobs, "run") + " at a time"
    if found.hours is None:
        return f"unknown: no finished run here to tell the speed; {at_a_time}"
    shown = f"{found.hours:.1f} hours" if found.hours >= 1 else f"{60 * found.hours:.0f} minutes"
    return (
        f"about {shown} with {at_a_time}, by the median speed of {_counted(found.measured, 'run')}"
    )


def _macs(macs: float) -> str:
    return f"{macs / 1e15:.3g} × 10¹⁵"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)
