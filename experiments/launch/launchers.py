"""Train many runs: each once, by a launcher; one that fails does not stop the others.

Torch is loaded only if something is left to train.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from experiments.host.events import Observer, RunDone, RunFailed
from experiments.host.imports import imported_without_gc
from experiments.host.machine import Machine
from experiments.host.progress import Display
from experiments.host.signals import STOP, Stopped
from experiments.job import Job
from experiments.launch import here, pool
from experiments.request import Request
from experiments.tracking.names import chosen_trackers
from roadmap.errors import Problem, check_text
from roadmap.record import Asked, Record
from roadmap.spec import Reference


class Launcher(Protocol):
    """Trains jobs, `parallel` at a time, and yields each with its record or its failure."""

    def __call__(
        self, jobs: Sequence[Job], *, parallel: int, observe: Observer
    ) -> Generator[tuple[Job, Record | Exception]]:
        """Launch the jobs."""


LAUNCHERS: dict[str, Launcher] = {"here": here.launch, "pool": pool.launch}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The records of all runs asked for, and by a run's name why it has none."""

    records: tuple[Record, ...]
    failures: dict[str, str]
    stopped: int = 0  # the signal that asked to stop


def run_all(
    requests: Sequence[Request],
    *,
    parallel: int,
    machine: Machine,
    command: str,
    asked: Asked | None = None,
    restart: bool = False,
    launcher: str | None = None,
    trackers: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Train the requests that are not finished yet, `parallel` at a time, showing progress.

    With `restart`, existing run folders are moved aside and all runs start over. `say` receives
    one line naming runs that were already finished. `launcher` is a name in LAUNCHERS; by default
    a single run trains in this process, and several in a pool. `trackers` are names in TRACKERS.
    Raises Problem before anything is trained if a request does not fit.
    """
    machine.check()
    chosen = chosen_trackers(trackers)
    check_text("this command", f"{command} {asked.data if asked else ''}")
    for request in requests:
        request.check(machine)
    if restart:
        _check_references(requests)
        for request in requests:
            request.check_free()
        for request in requests:
            request.set_aside()
    failures: dict[str, str] = {}
    records = {request: _finished(request, failures) for request in requests}
    missing = [
        request for request in requests if records[request] is None and request.name not in failures
    ]
    for name, failure in failures.items():
        say(f"{name} failed: {failure}")
    if any(records.values()):
        say(_kept(records))
    stopped = 0
    if missing:
        _check_references(missing)
        jobs = [
            Job(
                request=request,
                machine=machine,
                command=command,
                asked=asked or Asked(),
                trackers=chosen,
            )
            for request in missing
        ]
        name = launcher or ("here" if parallel == 1 or len(jobs) == 1 else "pool")
        stopped = _launch(LAUNCHERS[name], jobs, parallel, records, failures)
    finished = tuple(record for record in records.values() if record)
    return Outcome(records=finished, failures=failures, stopped=stopped)


def _launch(
    launch: Launcher,
    jobs: Sequence[Job],
    parallel: int,
    records: dict[Request, Record | None],
    failures: dict[str, str],
) -> int:
    """Enter what the jobs leave into `records` or `failures`; return the signal to stop, or 0."""
    stopped = 0
    STOP.listen()
    with (
        Display(len(jobs)) as display,
        closing(launch(jobs, parallel=parallel, observe=display)) as results,
    ):
        for job, result in results:
            if isinstance(result, Record):
                records[job.request] = result
                display(RunDone(run=job.name, record=result))
                continue
            reason = str(result)
            if isinstance(result, Stopped):
                stopped = result.number or signal.SIGTERM
            else:
                known = isinstance(result, Problem | OSError)
                failures[job.name] = reason if known else f"{type(result).__name__}: {result}"
                log = "" if known else f" ({job.folder / 'log.txt'} has the traceback)"
                reason = f"failed, {failures[job.name]}{log}"
            display(RunFailed(run=job.name, reason=reason, error=result))
    return STOP.asked or stopped


def _finished(request: Request, failures: dict[str, str]) -> Record | None:
    """Return a request's record, if there is one; an unreadable one is this run's failure alone."""
    try:
        return request.finished()
    except Problem as problem:
        failures[request.name] = f"{problem}; use --restart to start it over"
        return None


def _kept(records: Mapping[Request, Record | None]) -> str:
    """Name the runs that are finished; a run is known by its content, whatever row started it."""
    kept = [(request, record) for request, record in records.items() if record]
    if len(records) > 1:
        return f"{len(kept)} of {len(records)} runs are already finished; not trained again"
    request, record = kept[0]
    wanted, label = request.label, record.label
    same = (wanted.roadmap, wanted.row) == (label.roadmap, label.row)
    alias = "" if same else f", as row {label.row} of {label.roadmap}"
    day = record.provenance.finished.partition("T")[0]
    return f"{request.name}: finished on {day}{alias}; not trained again (--restart does)"


def _check_references(requests: Sequence[Request]) -> None:
    """Raise Problem for an unknown timm model, or for one that cannot be the task's backbone.

    Only timm knows its models, and it takes seconds to load.
    """
    specs = [request.spec for request in requests if isinstance(request.spec.network, Reference)]
    if not specs:
        return
    with imported_without_gc():
        from experiments.tasks.backbone import check_backbone
        from roadmap.network import check_reference

    for spec in dict.fromkeys(specs):
        assert isinstance(spec.network, Reference)
        check_reference(spec.network)
        if spec.recipe.task is not None:
            check_backbone(spec)
