"""One run: a row's spec trained on one data set with one seed leaves one record."""

from __future__ import annotations

import re
from dataclasses import replace

from experiments.data.images import BrokenImage
from experiments.host.events import Event, Message, Observer, RunDone, RunFailed
from experiments.host.lock import exclusive_run
from experiments.host.machine import differences, restore_settings
from experiments.host.signals import STOP
from experiments.job import Job
from experiments.launch.distributed import node_rank, train_distributed
from experiments.request import Request
from experiments.training.choices import chosen
from experiments.training.loop import train_here
from experiments.training.observers import Observers
from experiments.training.weights import keep_only
from roadmap.errors import Problem
from roadmap.record import Record, write_record
from roadmap.unfinished import Begun, write_begun

BROKEN = {
    "stop": "check-data names all of them, --broken skip leaves out those of training",
    "skip": "validation images are never left out: fix or remove it (check-data names all)",
}


def ignore(event: Event) -> None:
    """Observe nothing."""


def train(job: Job, observe: Observer = ignore) -> Record:
    """Return the record of this run: read it if the run is finished, else train or resume the run.

    Writes `record.json`, `begun.jsonl`, `metrics.jsonl`, `log.txt`, `machine.yaml` and, while the
    run lasts, checkpoints into the run's folder. Two calls never train the same run at the same
    time: the second waits and then reads the record.
    """
    folder = job.folder
    folder.mkdir(parents=True, exist_ok=True)
    job = replace(job, machine=chosen(job.machine, job.request))
    if node_rank(job.machine) > 0:
        restore_settings(job.machine, folder)
        return train_distributed(job, observe)
    with exclusive_run(folder, job.name, job.machine.wait, observe):
        STOP.check()
        record = job.request.finished()
        return _trained(job, observe) if record is None else record


def _trained(job: Job, observe: Observer) -> Record:
    """Train, with the run's own observers; the record is written before checkpoints go."""
    for leftover in job.folder.glob("*.partial"):  # of a process that was killed while it wrote
        leftover.unlink()
    write_begun(_begun(job.request), job.folder)
    observers = Observers(job, observe)
    try:
        record = _started(job, observers)
        write_record(record, job.folder / "record.json")
        keep_only(job.machine.keep, job.folder)
    except BaseException as error:
        observers.tell_own(RunFailed(run=job.name, reason=reason(error), error=error))
        raise
    observers.tell_own(RunDone(run=job.name, record=record))
    return record


def _begun(request: Request) -> Begun:
    """Return who the run is, for tables and figures of runs that are not finished."""
    return Begun(
        identity=request.identity,
        label=request.label,
        data=request.settings.source.name,
        classes=request.spec.network.classes,
        epochs=request.spec.recipe.epochs,
    )


def _started(job: Job, observe: Observer) -> Record:
    machine = restore_settings(job.machine, job.folder)
    for line in differences(job.machine, machine):
        observe(Message(run=job.name, text=line))
    start = train_distributed if machine.world > 1 else train_here
    try:
        record = start(replace(job, machine=machine), observe)
    except BrokenImage as fault:
        raise Problem(f"{fault}; {BROKEN[machine.broken]}") from fault
    except RuntimeError as fault:
        if died := re.match(r"DataLoader worker \(pid\(?s?\)? [\d, ]+\) (.*)", str(fault)):
            raise Problem(
                f"a loading process {died[1].rstrip('. ')}; memory may be short; use fewer "
                "loading processes (--workers 0: none)"
            ) from fault
        raise
    assert record is not None  # of rank 0
    return record


def reason(error: BaseException) -> str:
    """Return why a run failed, in a line for people."""
    kind = "" if isinstance(error, Problem | OSError) else f"{type(error).__name__}: "
    return f"{kind}{error}"
