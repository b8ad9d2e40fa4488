"""What watches a run: every event of a run goes to one observer of each kind in this table.

A tracker is one file with one class, and one line here. The display of a call, which shows all its
runs, is no part of the table: the caller passes it on.
"""

from __future__ import annotations

from collections.abc import Callable

from experiments.host.events import Observer
from experiments.host.log import Log
from experiments.job import Job
from experiments.training.history import History

OBSERVERS: dict[str, Callable[[Job], Observer]] = {
    "log": lambda job: Log(job.folder / "log.txt"),
    "history": lambda job: History(job.folder / "metrics.jsonl"),
}


def make_observers(job: Job) -> list[Observer]:
    """Return one observer of each kind for this job."""
    return [make(job) for make in OBSERVERS.values()]
