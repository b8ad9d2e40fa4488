"""The launcher that trains in this process, one run after another."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from experiments.host.events import Observer
from experiments.host.imports import imported_without_gc
from experiments.host.signals import STOP
from experiments.job import Job
from roadmap.record import Record


def launch(
    jobs: Sequence[Job], *, parallel: int, observe: Observer
) -> Generator[tuple[Job, Record | Exception]]:
    """Train the jobs in turn; `parallel` has no effect. One that fails does not stop the others."""
    with imported_without_gc():
        from experiments.launch.run import train

    for job in jobs:
        if STOP.asked is not None:
            return
        try:
            yield job, train(job, observe)
        except SystemExit as error:
            yield job, RuntimeError(f"the run exited with {error.code}")
        except Exception as error:
            yield job, error
