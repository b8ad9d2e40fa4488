"""The observer that passes a run's events to one of Lightning's loggers, while the run trains."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import yaml
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger

from experiments.host.events import EpochDone, Event, RunDone, RunFailed, Started, StepDone
from experiments.host.signals import Stopped
from experiments.job import Job
from experiments.tracking.facts import Facts, facts
from roadmap.files import put_text, read_text
from roadmap.record import Record

SECONDS = 5.0  # at least, between two losses within an epoch: a server may be far away


class Tracking(Protocol):
    """One run in one tracker. `id` is the run's name there, by which it resumes; "" if none.

    `is_new` says that the tracker has nothing of this run yet.
    """

    logger: Logger
    id: str
    is_new: bool

    def flush(self) -> None:
        """Write now what was logged."""

    def finish(self, outcome: str, final: Mapping[str, float]) -> None:
        """Log the final numbers; `outcome` is finished, failed or stopped."""


Opens = Callable[[Facts, Started, str], Tracking]


class Tracker:
    """An observer that logs each epoch's metrics, and within an epoch the latest loss.

    It opens its logger when training starts: then it is known where the run resumes. Steps are
    optimizer steps. The records remain the truth: a tracker only copies.
    """

    def __init__(self, name: str, job: Job, opens: Opens) -> None:
        self.name, self.job, self.opens = name, job, opens
        self.open: Tracking | None = None
        self.told = 0.0

    def __call__(self, event: Event) -> None:
        """Log an event's numbers."""
        with _alone():
            if isinstance(event, Started):
                self._start(event)
            elif self.open is None:
                return
            elif isinstance(event, EpochDone):
                self.open.logger.log_metrics(_metrics(event.metrics), event.step)
                self.open.flush()
            elif isinstance(event, StepDone):
                self._step(self.open, event)
            elif isinstance(event, RunDone):
                done = event.record.status == "finished"
                self.open.finish("finished" if done else "failed", _final(event.record))
            elif isinstance(event, RunFailed):
                stopped = isinstance(event.error, KeyboardInterrupt | Stopped)
                self.open.finish("stopped" if stopped else "failed", {})

    def _start(self, event: Started) -> None:
        """Open the logger; add the epochs before this start if the tracker lacks the run."""
        run = facts(self.job)
        known = _read_ids(run)
        self.open = self.opens(run, event, known.get(self.name, ""))
        if self.open.id != known.get(self.name, ""):
            put_text(run.state, yaml.safe_dump({**known, self.name: self.open.id}))
        if self.open.is_new:
            steps = event.steps // self.job.request.spec.recipe.epochs
            for epoch in event.history:
                step = (int(epoch["epoch"]) + 1) * steps
                self.open.logger.log_metrics(_metrics(epoch), step)
        self.open.flush()

    def _step(self, tracking: Tracking, event: StepDone) -> None:
        """Log the latest loss, if it is known and the last one was long enough ago."""
        if event.loss is None or time.monotonic() - self.told < SECONDS:
            return
        self.told = time.monotonic()
        numbers = {"step_loss": event.loss, "step_learning_rate": event.learning_rate}
        known = {key: number for key, number in numbers.items() if number is not None}
        tracking.logger.log_metrics(known, event.step)
        tracking.flush()


def _metrics(epoch: Mapping[str, float]) -> dict[str, float]:
    """Return an epoch's metrics; epochs count from 1, as in messages."""
    return {**epoch, "epoch": epoch["epoch"] + 1}


def _final(record: Record) -> dict[str, float]:
    """Return a record's numbers that are of the whole run, not of an epoch."""
    own = {"top1": record.top1, "top5": record.top5, "loss": record.loss}
    numbers = {**own, **record.metrics, "images_per_second": record.images_per_second}
    numbers["wall_seconds"] = record.wall_seconds
    return {
        f"final/{_accepted(key)}": float(number)
        for key, number in numbers.items()
        if number is not None
    }


def _accepted(key: str) -> str:
    """Return a key that MLflow accepts: a class may be called `door;gate`."""
    return re.sub(r"[^\w./ :-]", "-", key)


def _read_ids(run: Facts) -> dict[str, str]:
    """Return the run's names in trackers, from earlier starts."""
    try:
        read = yaml.safe_load(read_text(run.state, limit=10_000))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return {str(key): str(text) for key, text in read.items()} if isinstance(read, dict) else {}


@contextmanager
def _alone() -> Iterator[None]:
    """Let loggers write: the process that observes a run is the only one that does.

    Lightning takes the rank from variables of SLURM, which may be those of another run. Warnings
    of loggers, such as for a folder that is not empty, are hidden.
    """
    shared: Any = rank_zero_only  # its attribute `rank` decides which process writes
    rank, shared.rank = shared.rank, 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        shared.rank = rank
