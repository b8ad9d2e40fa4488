"""What a study will take: runs, those there already, MACs, and hours by what runs took before."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from experiments.request import Request
from roadmap.cost import cost
from roadmap.errors import Problem
from roadmap.record import Record
from roadmap.spec import Network
from steps.studies import Study

WIDTH = 80
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
PASSES = 3  # forward, and backward twice as much


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Runs of a study and those missing; their MACs; hours, None where no run tells the speed."""

    runs: int
    there: int
    macs: float
    macs_missing: float
    hours: float | None
    measured: int


def forecast(requests: Sequence[Request], records: Sequence[Record], jobs: int) -> Forecast:
    """Before anything runs: `jobs` at a time, each as fast as the median of the records' runs."""
    by_run = {request.identity.run: request for request in requests}
    there = {run for run, request in by_run.items() if _is_there(request)}
    work = {run: _macs(request) for run, request in by_run.items()}
    missing = sum(macs for run, macs in work.items() if run not in there)
    at_a_time = max(1, min(jobs, len(by_run) - len(there)))
    speeds = [_done(record) / record.wall_seconds for record in records if _done(record)]
    return Forecast(
        runs=len(by_run),
        there=len(there),
        macs=sum(work.values()),
        macs_missing=missing,
        hours=missing / median(speeds) / at_a_time / 3600 if speeds else None,
        measured=len(speeds),
    )


def _is_there(request: Request) -> bool:
    try:
        return request.finished() is not None
    except Problem:  # to be said by the run
        return False


def _macs(request: Request) -> float:
    """Multiply-accumulates of a run's training; 0 for a network of timm's, which torch counts."""
    spec = request.spec
    if not isinstance(spec.network, Network):
        return 0.0
    walked = cost(spec.network, spec.recipe.image_size).macs
    return float(PASSES * walked * spec.recipe.epochs * request.settings.source.images)


def _done(record: Record) -> float:
    if record.status != "finished" or not record.wall_seconds:
        return 0.0
    return float(PASSES * record.macs * record.spec["recipe"]["epochs"] * record.data["train"])


def in_words(study: Study, found: Forecast, seeds: int, jobs: int) -> str:
    """The plan of a study in at most 80 columns."""
    lines = [
        study.roadmap.title,
        f"  variants     {len(study.roadmap.rows)}, each with {_counted(seeds, 'seed')}",
        f"  runs         {found.runs}, of which {found.there} are there already",
        f"  MACs         {_shown(found.macs)}, of which {_shown(found.macs_missing)} are to do",
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
    shown = (
        f"{found.hours:.1f} hours"
        if found.hours >= 1
        else _counted(round(60 * found.hours), "minute")
    )
    return (
        f"about {shown} with {at_a_time}, by the median speed of {_counted(found.measured, 'run')}"
    )


def _shown(macs: float) -> str:
    """`1.5 × 10¹⁵`, by powers of a thousand."""
    power = (len(str(int(macs))) - 1) // 3 * 3
    return f"{macs / 10**power:.3g} × 10{str(power).translate(RAISED)}" if power else "0"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)
