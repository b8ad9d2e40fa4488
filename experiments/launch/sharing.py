"""How many runs share the machine, and each GPU of it, by default."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.host.gpus import gpu_memory, gpus
from experiments.host.limits import cores
from experiments.host.machine import default_jobs
from experiments.request import Request
from experiments.training.estimates import estimate

MOST_PER_GPU = 8
OF_MEMORY = 0.8  # the part of a GPU's memory that runs may share


def choose_jobs(requests: Sequence[Request], devices: int = 1) -> int:
    """Return the default number of parallel runs; small runs share a GPU."""
    return default_jobs(devices, per_gpu=runs_per_gpu(requests))


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
