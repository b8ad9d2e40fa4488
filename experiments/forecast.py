"""What a study will take: runs, those there already, MACs, and hours by what runs took before."""

from __future__ import annotations

import heapq
import textwrap
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from experiments.request import Request
from roadmap.cost import cost
from roadmap.errors import Problem
from roadmap.record import Record
from roadmap.spec import Network
from steps.studies.study import Study

WIDTH = 80
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
PASSES = 3  # forward, and backward twice as much


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Runs of a study and those missing; their MACs; hours, None where no run tells the speed.

    `measured` finished runs tell it; of `known` of the missing runs the same network is among them,
    the others are taken to be as fast, MAC for MAC, as the median. `start_up` are the seconds that
    a run takes beside its epochs; `hardware` and `threads` are those of the runs measured.
    """

    runs: int
    there: int
    macs: float
    macs_missing: float
    hours: float | None
    measured: int = 0
    known: int = 0
    start_up: float = 0.0
    hardware: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()


def forecast(
    requests: Sequence[Request], records: Sequence[Record], jobs: int, devices: int = 1
) -> Forecast:
    """Before anything runs: `jobs` at a time on `devices` each, as fast as the records' runs were.

    A network's own runs tell its speed where there are any. Devices are taken to add up.
    """
    by_run = {request.identity.run: request for request in requests}
    there = {run for run, request in by_run.items() if _is_there(request)}
    work = {run: _macs(request) for run, request in by_run.items()}
    missing = {run: request for run, request in by_run.items() if run not in there}
    told = [record for record in records if _speed(record)]
    counts = {
        "runs": len(by_run),
        "there": len(there),
        "macs": sum(work.values()),
        "macs_missing": sum(work[run] for run in missing),
    }
    if not told:
        return Forecast(**counts, hours=None)
    speeds = _speeds(told)
    start_up = median(_start_up(record) for record in told)
    lengths = [work[run] / devices / speeds(request) + start_up for run, request in missing.items()]
    networks = {record.identity.network for record in told}
    return Forecast(
        **counts,
        hours=_until_all_are_done(lengths, jobs) / 3600,
        measured=len(told),
        known=sum(request.identity.network in networks for request in missing.values()),
        start_up=start_up,
        hardware=tuple(sorted({record.provenance.hardware for record in told})),
        threads=tuple(sorted({record.provenance.threads for record in told})),
    )


def _until_all_are_done(lengths: Sequence[float], jobs: int) -> float:
    """Seconds until runs of these lengths are done, each begun as soon as one of `jobs` is free."""
    busy = [0.0] * jobs
    for length in lengths:
        heapq.heapreplace(busy, busy[0] + length)
    return max(busy)


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


def _speeds(records: Sequence[Record]) -> Callable[[Request], float]:
    """MACs a second and device of a request's network: the median of its own runs, or of all."""
    by_network = defaultdict(list)
    for record in records:
        by_network[record.identity.network].append(_speed(record))
    medians = {network: median(found) for network, found in by_network.items()}
    overall = median(_speed(record) for record in records)
    return lambda request: medians.get(request.identity.network, overall)


def _speed(record: Record) -> float:
    """MACs a second and device, validation included; 0 where a record does not tell."""
    if record.status != "finished" or not record.wall_seconds:
        return 0.0
    done = PASSES * record.macs * record.spec["recipe"]["epochs"] * record.data["train"]
    shared = record.provenance.devices * record.provenance.nodes
    return float(done / record.wall_seconds / shared)


def _start_up(record: Record) -> float:
    """Seconds of a run beside its epochs: opening images, building, measuring at the end.

    0 where its times say less, as of a run that was interrupted.
    """
    try:
        start, end = (
            datetime.fromisoformat(text)
            for text in (record.provenance.started, record.provenance.finished)
        )
        return max(0.0, (end - start).total_seconds() - record.wall_seconds)
    except (ValueError, TypeError):
        return 0.0


def in_words(study: Study, found: Forecast, seeds: int, jobs: int) -> str:
    """The plan of a study in at most 80 columns."""
    lines = [
        study.roadmap.title,
        f"  variants     {len(study.roadmap.rows)}, each with {_counted(seeds, 'seed')}",
        f"  runs         {found.runs}, of which {found.there} are there already",
        f"  MACs         {_shown(found.macs)}, of which {_shown(found.macs_missing)} are to do",
        f"  time         {_time(found, jobs)}",
        f"  verdicts     {len(study.contrasts)}, margin {study.margin:g} (points of top-1)",
        f"  each asks    {study.asks}",
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
    left = found.runs - found.there
    if not left:
        return "none: all runs are there"
    threads = f"{' or '.join(map(str, found.threads))} thread" + "s" * (found.threads != (1,))
    measured = (
        f"{_counted(found.measured, 'run')} of {threads} on {' and on '.join(found.hardware)}"
    )
    whose = (
        "of the same networks"
        if found.known == left
        else f"of the same network for {found.known} of {left} runs, for the others by the median "
        "of all, MAC for MAC"
    )
    return (
        f"about {_length(found.hours)} with {at_a_time}, {found.start_up:.0f} s of each run beside "
        f"its epochs; by {measured}, {whose}"
    )


def _length(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    return _counted(round(60 * hours), "minute") if hours >= 1 / 60 else "a minute or less"


def _shown(macs: float) -> str:
    """`1.5 × 10¹⁵`, by powers of a thousand."""
    power = (len(str(int(macs))) - 1) // 3 * 3
    return f"{macs / 10**power:.3g} × 10{str(power).translate(RAISED)}" if power else "0"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)
