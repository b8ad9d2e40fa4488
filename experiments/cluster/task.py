"""One task of a cluster: after SIGUSR1, a run that saved goes back into the queue."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from experiments.cluster.script import REQUEUE
from experiments.cluster.slurm import requeue
from experiments.request import Request
from roadmap.errors import Problem

SAVED = ("last.ckpt", "before.ckpt")


@dataclass
class TaskEnd:
    """How a task ended: the signal that stopped it, and whether it will come back."""

    stopped: int = 0
    requeued: bool = False


@contextmanager
def requeue_when_stopped(request: Request) -> Iterator[TaskEnd]:
    """Requeue this task if SIGUSR1 stopped the run, as SLURM sends it before the time limit.

    Set `stopped` within. A run that saved nothing since the task began would save nothing the next
    time either: raises Problem.
    """
    started, end = time.time(), TaskEnd()
    yield end
    if end.stopped != signal.SIGUSR1 or REQUEUE not in os.environ:
        return
    if int(os.environ.get("SLURM_PROCID", "0")) == 0:
        if not _saved_since(request, started):
            raise Problem(
                f"{request.name} reached its time limit before it saved anything; not requeued: "
                "submit it with more --time"
            )
        requeue()
    end.requeued = True


def _saved_since(request: Request, start: float) -> bool:
    """Return whether a checkpoint is newer than `start`; two seconds for clocks that differ."""
    paths = [request.folder / name for name in SAVED]
    return any(path.exists() and path.stat().st_mtime > start - 2 for path in paths)
