"""Estimate what a study takes: runs, multiply-accumulates (MACs), hours."""

from __future__ import annotations

import heapq
import textwrap
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from experiments.host.device import ANY, Device, kind_of
from experiments.request import Request
from roadmap.errors import Problem
from roadmap.heads import spec_cost
from roadmap.record import Record
from roadmap.spec import Network
from roadmap.tasks import LABELS, MEASURE
from steps.studies.study import Study

WIDTH = 80
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
PASSES = 3  # forward, and backward twice as much
CLASS = 10  # networks whose MACs differ by more are of different speed, also for each MAC


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What recorded runs say about the speed of others; MACs per second and device.

    A network's own runs give its speed. For other networks it is the median over all runs.
    `start_up` is the median of the seconds that a run takes in addition to its epochs.
    """

    by_network: Mapping[str, float]
    overall: float
    runs: int
    start_up: float
    hardware: tuple[str, ...]
    threads: tuple[int, ...]

    def of(self, request: Request) -> float:
        """Return the speed of a request's network."""
        return self.by_network.get(request.identity.network, self.overall)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Runs of a study, finished and missing, with their MACs, and hours for the missing ones.

    `hours` and `speed` are None if no recorded run gives a speed. For `known` of the missing runs
    there are records of the same network. For `measured` of them a few steps were timed. `left_out`
    says which records give no speed here, and why. `device_hours` are the hours of all missing runs
    times the devices of each.
    """

    runs: int
    finished: int
    macs: float
    macs_missing: float
    hours: float | None = None
    known: int = 0
    speed: Speed | None = None
    measured: int = 0
    left_out: tuple[str, ...] = ()
    device: Device = ANY
    device_hours: float = 0.0
    devices: int = 1


def forecast(
    requests: Sequence[Request],
    records: Sequence[Record],
    jobs: int,
    devices: int = 1,
    *,
    device: Device = ANY,
    timed: Mapping[str, float] | None = None,
) -> Forecast:
    """Estimate remaining time for `jobs` parallel runs, using the speed of recorded runs.

    Each run uses `devices` devices, and their speeds are assumed to add up. Records of another kind
    of `device`, or of networks of another size, are not used. `timed` are seconds of whole runs on
    one device by the spec's fingerprint; they come before records.
    """
    by_run = {request.identity.run: request for request in requests}
    missing = {run: request for run, request in by_run.items() if not is_finished(request)}
    work = {run: _macs(request) for run, request in by_run.items()}
    plan = Forecast(
        runs=len(by_run),
        finished=len(by_run) - len(missing),
        macs=sum(work.values()),
        macs_missing=sum(work[run] for run in missing),
    )
    timed = timed or {}
    used, left_out = fitting([*missing.values()], records, device)
    plan = replace(plan, left_out=left_out, device=device, devices=devices)
    speed = _measured(used)
    times = {run: timed.get(request.identity.spec) for run, request in missing.items()}
    plan = replace(plan, measured=sum(time is not None for time in times.values()))
    if speed is None and plan.measured < len(missing):
        return plan
    lengths = [
        time / devices
        if (time := times[run]) is not None
        else work[run] / devices / _known(speed).of(request) + _known(speed).start_up
        for run, request in missing.items()
    ]
    plan = replace(plan, device_hours=sum(lengths) * devices / 3600)
    if speed is None:
        return replace(plan, hours=makespan(lengths, jobs) / 3600)
    known = sum(request.identity.network in speed.by_network for request in missing.values())
    return replace(plan, hours=makespan(lengths, jobs) / 3600, known=known, speed=speed)


def _known(speed: Speed | None) -> Speed:
    assert speed is not None  # else every missing run was timed
    return speed


def seconds_each(requests: Sequence[Request], records: Sequence[Record]) -> list[float | None]:
    """Estimate the seconds of each run, from its start, on one device; None if no record tells."""
    if (speed := _measured(records)) is None:
        return [None] * len(requests)
    return [
        work / speed.of(request) + speed.start_up if (work := _macs(request)) else None
        for request in requests
    ]


def makespan(lengths: Sequence[float], jobs: int) -> float:
    """Return seconds until all runs are done; each starts as soon as one of `jobs` is free."""
    busy = [0.0] * jobs
    for length in lengths:
        heapq.heapreplace(busy, busy[0] + length)
    return max(busy)


def is_finished(request: Request) -> bool:
    """Return whether a run has a record; an unreadable one will be trained again."""
    try:
        return request.finished() is not None
    except Problem:  # the run will report it
        return False


def _macs(request: Request) -> float:
    """Return MACs of a run's training; 0 for a timm network, whose cost needs torch."""
    spec = request.spec
    if not isinstance(spec.network, Network):
        return 0.0
    walked = spec_cost(spec).macs
    return float(PASSES * walked * spec.recipe.epochs * request.settings.source.images)


def fitting(
    requests: Sequence[Request], records: Sequence[Record], device: Device
) -> tuple[list[Record], tuple[str, ...]]:
    """Return the records that tell the speed of these runs, and why the others do not.

    They are of the same kind of device, and of networks whose MACs per image are within a factor of
    CLASS of some network that is asked for. A run of the same network always is.
    """
    networks = {request.identity.network for request in requests}
    sizes = [macs for request in requests if (macs := _macs_per_image(request))]
    used: list[Record] = []
    others: Counter[str] = Counter()
    for record in records:
        same = record.identity.network in networks
        near = not sizes or any(1 / CLASS <= record.macs / size <= CLASS for size in sizes)
        if not device.is_like(record):
            others[f"on {kind_of(record)}"] += 1
        elif not same and not near:
            others["of networks of another size (MACs per image)"] += 1
        else:
            used.append(record)
    return used, tuple(f"{_counted(count, 'run')} {why}" for why, count in others.items())


def _macs_per_image(request: Request) -> int:
    spec = request.spec
    if not isinstance(spec.network, Network):
        return 0
    return spec_cost(spec).macs


def _measured(records: Sequence[Record]) -> Speed | None:
    """Return the speed that records give; None if none of them gives one."""
    speeds = {id(record): speed for record in records if (speed := _speed(record))}
    measured = [record for record in records if id(record) in speeds]
    if not measured:
        return None
    by_network = defaultdict(list)
    for record in measured:
        by_network[record.identity.network].append(speeds[id(record)])
    return Speed(
        by_network={network: median(values) for network, values in by_network.items()},
        overall=median(speeds.values()),
        runs=len(measured),
        start_up=median(_start_up(record) for record in measured),
        hardware=tuple(sorted({record.provenance.hardware for record in measured})),
        threads=tuple(sorted({record.provenance.threads for record in measured})),
    )


def _speed(record: Record) -> float:
    """Return MACs per second and device, validation time included; 0 if a record has no times."""
    if record.status != "finished" or not record.wall_seconds:
        return 0.0
    done = PASSES * record.macs * record.spec["recipe"]["epochs"] * record.data["train"]
    shared = record.provenance.devices * record.provenance.nodes
    return float(done / record.wall_seconds / shared)


def _start_up(record: Record) -> float:
    """Return seconds outside the epochs: opening images, building, measuring at the end.

    It is 0 if the record's times do not tell, for example after an interruption.
    """
    try:
        start, end = (
            datetime.fromisoformat(text)
            for text in (record.provenance.started, record.provenance.finished)
        )
        return max(0.0, (end - start).total_seconds() - record.wall_seconds)
    except (ValueError, TypeError):
        return 0.0


def in_words(study: Study, plan: Forecast, seeds: int, jobs: int) -> str:
    """Describe the plan of a study in at most 80 columns."""
    measure = LABELS[MEASURE[study.roadmap.rows[-1].spec.recipe.task_name]]
    lines = [
        study.roadmap.title,
        f"  variants     {len(study.roadmap.rows)}, each with {_counted(seeds, 'seed')}",
        f"  runs         {plan.runs}, of which {plan.finished} are finished",
        f"  MACs         {_shown(plan.macs)}, of which {_shown(plan.macs_missing)} remain",
        f"  time         {_time(plan, jobs)}",
        f"  verdicts     {len(study.contrasts)}, margin {study.margin:g} (points of {measure})",
        f"  each asks    {study.asks}",
    ]
    for step, why in study.left_out.items():
        lines.append(f"  left out     {step}: {why}")
    return "\n".join(
        textwrap.fill(line, WIDTH, subsequent_indent=" " * 15) if line.startswith("  ") else line
        for line in lines
    )


def _time(plan: Forecast, jobs: int) -> str:
    parallel = _counted(jobs, "parallel run")
    speed = plan.speed
    left = plan.runs - plan.finished
    if not left:
        return "none: all runs are finished"
    without = f"; not used: {', '.join(plan.left_out)}" if plan.left_out else ""
    if plan.hours is None:
        fit = " that fits" if plan.left_out else ""
        return (
            f"unknown: there is no finished run{fit} to take the speed from; {parallel}{without}; "
            "--measure trains 20 steps of each row"
        )
    hours = f"about {_length(plan.hours)} with {parallel}{plan.device.cost(plan.device_hours)}"
    if plan.devices > 1:
        hours += f", if {plan.devices} devices are {plan.devices} times as fast as one"
    if speed is None or plan.measured == left:
        return f"{hours}; from 20 steps of each row, measured one at a time on {plan.device}"
    timed = f"; {plan.measured} runs from 20 steps of their row" if plan.measured else ""
    without = timed + without
    threads = f"{' or '.join(map(str, speed.threads))} thread" + "s" * (speed.threads != (1,))
    measured = f"{_counted(speed.runs, 'run')} with {threads} on {' and on '.join(speed.hardware)}"
    networks = (
        "of the same networks"
        if plan.known == left
        else f"of the same network for {plan.known} of {left} runs; the others are estimated from "
        "their MACs and the median speed"
    )
    return (
        f"{hours}, of which {speed.start_up:.0f} s per run "
        f"outside its epochs; estimated from {measured}, {networks}{without}"
    )


def _length(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    return _counted(round(60 * hours), "minute") if hours >= 1 / 60 else "a minute or less"


def _shown(macs: float) -> str:
    """Write a number as `1.5 × 10¹⁵`, by powers of a thousand."""
    power = (len(str(int(macs))) - 1) // 3 * 3
    return f"{macs / 10**power:.3g} × 10{str(power).translate(RAISED)}" if power else "0"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)
