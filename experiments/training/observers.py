"""What watches a run: every event of a run goes to one observer of each kind in this table.

A tracker is one file with one class, and one line here. The display of a call, which shows all its
runs, is no part of the table: the caller passes it on.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import partial

from experiments.host.events import Event, Message, Observer
from experiments.host.log import Log
from experiments.job import Job
from experiments.tracking.names import TRACKERS
from experiments.training.history import History


def _tracker(name: str, opens: str, job: Job) -> Observer:
    """Return a tracker; it imports its package when training starts."""
    from experiments.tracking.tracker import Tracker

    return Tracker(name, job, lambda *given: pkgutil.resolve_name(opens)(*given))


OBSERVERS: dict[str, Callable[[Job], Observer]] = {
    "log": lambda job: Log(job.folder / "log.txt"),
    "history": lambda job: History(job.folder / "metrics.jsonl"),
    "tensorboard": partial(_tracker, "tensorboard", "experiments.tracking.tensorboard:TensorBoard"),
    "wandb": partial(_tracker, "wandb", "experiments.tracking.wandb:WeightsAndBiases"),
    "mlflow": partial(_tracker, "mlflow", "experiments.tracking.mlflow:MLflow"),
    "csv": partial(_tracker, "csv", "experiments.tracking.csv_file:CSVFile"),
}


def make_observers(job: Job) -> dict[str, Observer]:
    """Return one observer of each kind for this job; of the trackers, those that it asks for."""
    return {
        name: make(job)
        for name, make in OBSERVERS.items()
        if name not in TRACKERS or name in job.trackers
    }


class Observers:
    """All observers of one run. A tracker that fails is dropped; the run continues.

    `observe` is the caller's observer, which the run's own come before.
    """

    def __init__(self, job: Job, observe: Observer) -> None:
        self.run, self.own, self.observe = job.name, make_observers(job), observe

    def __call__(self, event: Event) -> None:
        """Pass an event to all."""
        self.tell_own(event)
        self.observe(event)

    def tell_own(self, event: Event) -> None:
        """Pass an event to the run's own observers."""
        for name, observer in list(self.own.items()):
            try:
                observer(event)
            except Exception as fault:
                if name not in TRACKERS:
                    raise
                del self.own[name]
                text = f"--log {name} stopped ({type(fault).__name__}: {fault}); the run continues"
                self(Message(run=self.run, text=text))
