"""One run in several processes: each has a device, on one node or several.

On one node the processes find each other by themselves. On several, start the same command once on
each node, with NODE_RANK and MASTER_ADDR set; under SLURM `srun --ntasks-per-node=1` does that.
"""

from __future__ import annotations

import os
import re
import socket
import time
import zlib

from experiments.host.events import Observer
from experiments.host.imports import imported_without_gc
from experiments.host.lock import is_held
from experiments.host.machine import Machine
from experiments.host.signals import STOP
from experiments.job import Job
from experiments.launch.worker import Worker, collect, started
from experiments.request import Request
from experiments.training.place import Place
from roadmap.errors import Problem
from roadmap.record import Record

GRACE = 60.0  # seconds: a shared file system may show another node's record late


def node_rank(machine: Machine) -> int:
    """Return this node's number among the run's nodes; 0 if the run has only one."""
    if machine.nodes == 1:
        return 0
    return int(os.environ.get("NODE_RANK") or os.environ.get("SLURM_NODEID") or 0)


def train_distributed(job: Job, observe: Observer) -> Record:
    """Train a run with `machine.devices` processes here, and those of other nodes.

    A process that fails ends the others.
    """
    address, port = _meeting_point(job.request, job.machine)
    devices, node, record = job.machine.devices, node_rank(job.machine), None
    workers = [Worker() for _ in range(devices)]
    with started(workers):
        for local, worker in enumerate(workers):
            rank = node * devices + local
            place = Place(rank=rank, local=local, node=node, world=job.machine.world,
                          address=address, port=port)  # fmt: skip
            worker.submit(_train, job, place)
        while any(worker.busy for worker in workers):
            for _, result in collect(workers, observe):
                if isinstance(result, Exception):
                    raise result
                record = result or record
    return record or _from_first_node(job.request)


def _train(job: Job, place: Place, observe: Observer) -> Record | None:
    with imported_without_gc():
        from experiments.training.loop import train_here

    return train_here(job, observe, place)


def _from_first_node(request: Request) -> Record:
    """Return the record that the first node writes: it still measures when the others are done.

    Raises Problem if that node has released the run for `GRACE` seconds and there is no record.
    """
    end = time.monotonic() + GRACE
    while (record := request.finished()) is None:
        STOP.check()
        if is_held(request.folder):
            end = time.monotonic() + GRACE
        elif time.monotonic() > end:
            raise Problem(f"the first node left no record of {request.name} in {request.folder}")
        time.sleep(0.2)
    return record


def _meeting_point(request: Request, machine: Machine) -> tuple[str, int]:
    """Return the address and port where the processes of a run meet."""
    if machine.nodes == 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return "127.0.0.1", free.getsockname()[1]
    address = os.environ.get("MASTER_ADDR") or _first_host(os.environ.get("SLURM_NODELIST", ""))
    if not address:
        raise Problem("--nodes needs MASTER_ADDR and NODE_RANK set on every node, or SLURM")
    port = os.environ.get("MASTER_PORT") or 20000 + zlib.crc32(request.folder.name.encode()) % 20000
    return address, int(port)


def _first_host(nodes: str) -> str:
    """`gpu[03-05,9],x` → `gpu03`."""
    first = re.match(r"([^,\[]*)(?:\[(\d+))?", nodes)
    return first[1] + (first[2] or "") if first else ""
