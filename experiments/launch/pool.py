"""The launcher that trains several runs at a time, each in a process of a pool on this machine."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Sequence

from experiments.host.events import Observer
from experiments.host.gpus import gpus, own_gpus, use_only
from experiments.host.imports import imported_without_gc
from experiments.host.signals import STOP
from experiments.job import Job
from experiments.launch.worker import Worker, collect, started
from roadmap.record import Record

ATTEMPTS = 2  # a process that is killed, as by a system short of memory, is replaced once


def launch(
    jobs: Sequence[Job], *, parallel: int, observe: Observer
) -> Generator[tuple[Job, Record | Exception]]:
    """Train `parallel` jobs at a time; yield each job with its record or failure as it ends.

    After a stop signal the jobs that train save and stop, and the others do not start.
    """
    waiting, attempts = deque(jobs), Counter[str]()
    workers = [Worker() for _ in range(min(parallel, len(waiting)))]
    training: dict[Worker, Job] = {}
    with started(workers):
        while True:
            if STOP.asked is not None:
                waiting.clear()
            for slot, worker in enumerate(workers):
                if waiting and not worker.busy:
                    job = training[worker] = waiting.popleft()
                    attempts[job.name] += 1
                    own = own_gpus(slot, job.machine.devices, gpus())
                    worker.submit(_train, job, own)
            if not training:
                return
            for worker, result in collect(workers, observe):
                job = training.pop(worker)
                killed = isinstance(result, ChildProcessError) and not worker.process.is_alive()
                if killed and STOP.asked is None:
                    worker.connection.close()
                    workers[workers.index(worker)] = Worker()
                    if attempts[job.name] < ATTEMPTS:
                        waiting.appendleft(job)
                        continue
                yield job, result


def _train(job: Job, own: list[str] | None, observe: Observer) -> Record:
    """Train with this job's share of the GPUs."""
    if own is not None:
        use_only(own)
    with imported_without_gc():
        from experiments.launch.run import train

    return train(job, observe)
