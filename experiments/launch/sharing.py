"""How many runs share the machine, and each GPU of it, by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.forecast import is_finished
from experiments.host.events import Observer
from experiments.host.gpus import gpu_memory, gpus
from experiments.host.limits import cores
from experiments.host.machine import Machine, default_jobs
from experiments.launch.worker import Worker, collect, started
from experiments.meeting import Meeting
from experiments.request import Request
from experiments.short_runs import time_run
from experiments.training.estimates import estimate

MOST_PER_GPU = 8
OF_MEMORY = 0.8  # the part of a GPU's memory that runs may share


GAIN = 1.2  # times as many images a second as one run alone: else sharing is not worth it


def choose_jobs(
    requests: Sequence[Request], devices: int = 1, *, say: Callable[[str], None] | None = None
) -> int:
    """Return the default number of parallel runs; small runs share a GPU.

    With `say`, a short measurement decides how many, if there are enough runs to train.
    """
    together = runs_per_gpu(requests)
    if say is not None and together > 1 and devices == 1:
        missing = [request for request in requests if not is_finished(request)]
        if len(missing) > len(gpus()):
            together = measured(missing[0], min(together, len(missing)), say)
    return default_jobs(devices, per_gpu=together)


def measured(request: Request, most: int, say: Callable[[str], None]) -> int:
    """Return how many such runs share a GPU: `most`, or half of it, …, if that is faster."""
    alone = throughput(request, 1)
    together = most
    while together > 1:
        total = throughput(request, together)
        say(
            f"a short measurement: {alone:,.0f} images/s by 1 run on a GPU, {total:,.0f} by "
            f"{together}"
        )
        if total >= GAIN * alone:
            return together
        together //= 2
    return 1


def throughput(request: Request, runs: int) -> float:
    """Return images per second of so many short runs at a time; 0 if one of them fails."""
    machine, speeds = Machine.shared_by(runs), []
    workers = [Worker() for _ in range(runs)]
    with TemporaryDirectory() as folder, started(workers):
        meetings = {
            worker: Meeting(folder=Path(folder), runs=runs, number=number)
            for number, worker in enumerate(workers)
        }
        for worker, meeting in meetings.items():
            worker.submit(_short_run, request, machine, meeting)
        while any(worker.busy for worker in workers):
            for worker, speed in collect(workers, lambda event: None):
                meetings[worker].leave()
                speeds.append(speed)
    return sum(speeds) if all(isinstance(speed, float) for speed in speeds) else 0.0


def _short_run(request: Request, machine: Machine, meeting: Meeting, _observe: Observer) -> float:
    timed = time_run(request, machine, lambda line: None, meeting)
    if timed is None:
        raise RuntimeError("a short run failed")
    return 1 / timed.image


def runs_per_gpu(requests: Sequence[Request]) -> int:
    """Return how many of these runs fit on one GPU at a time.

    Runs share a GPU if they are all small: starting the GPU's work then takes longer than the
    work. Each run needs two cores and its part of the memory.
    """
    if not gpus() or not (memory := gpu_memory()):
        return 1
    estimates = [estimate(request) for request in requests]
    sizes = [one.memory for one in estimates if one is not None and one.is_small]
    if len(sizes) < len(estimates) or not sizes:
        return 1
    by_memory = int(OF_MEMORY * memory / max(sizes))
    return max(1, min(MOST_PER_GPU, cores() // (2 * len(gpus())), by_memory))
