"""One run in several processes: a device each, on one node or several.

On one node the processes find each other by themselves. On several, start the same command on each,
once a node, with NODE_RANK and MASTER_ADDR set; under SLURM `srun --ntasks-per-node=1` does.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import socket
import zlib
from multiprocessing.context import BaseContext
from multiprocessing.managers import SyncManager
from multiprocessing.process import BaseProcess
from queue import Empty, Queue

from experiments.host.imports import imported_without_gc
from experiments.host.machine import Machine
from experiments.host.progress import Event, Tell
from experiments.host.signals import STOP, block_sigint, exit_with_parent, ignore_stop_signals
from experiments.request import Request
from roadmap.errors import Problem
from roadmap.record import Record


def node_rank(machine: Machine) -> int:
    """Which of the run's nodes this is; 0 where it has one, whatever the cluster numbers it."""
    if machine.nodes == 1:
        return 0
    return int(os.environ.get("NODE_RANK") or os.environ.get("SLURM_NODEID") or 0)


def train_distributed(request: Request, machine: Machine, command: str, tell: Tell) -> Record:
    """The record of a run trained by `machine.devices` processes here, and those of other nodes.

    One process that fails ends the others.
    """
    address, port = _meeting_point(request, machine)
    context = multiprocessing.get_context("spawn")
    with served(context) as manager:
        messages = manager.Queue()
        members = []
        for local in range(machine.devices):
            place = {"MASTER_ADDR": address, "MASTER_PORT": str(port), "LOCAL_RANK": str(local)}
            given = (place, request, machine, command, messages)
            members.append(context.Process(target=_member, args=(os.getpid(), *given)))
        with block_sigint():
            for member in members:
                member.start()
        try:
            found = _listen(members, messages, tell)
        finally:
            for member in members:
                member.terminate()
                member.join()
    return found or _from_first_node(request)


def _member(
    parent: int,
    place: dict[str, str],
    request: Request,
    machine: Machine,
    command: str,
    messages: Queue,
) -> None:
    exit_with_parent(parent)
    STOP.listen()
    node = node_rank(machine)
    os.environ.update(place, NODE_RANK=str(node), WORLD_SIZE=str(machine.world))
    rank = node * machine.devices + int(place["LOCAL_RANK"])
    with imported_without_gc():
        from experiments.training.loop import train_here

    try:
        record = train_here(request, machine, command, messages.put, rank)
    except Exception as error:
        messages.put(error)
        raise SystemExit(1) from None
    if record is not None:
        messages.put(record)


def served(context: BaseContext) -> SyncManager:
    """A manager, for queues between processes, that outlives signals meant for the runs."""
    manager = SyncManager(ctx=context)
    with block_sigint():
        manager.start(initializer=ignore_stop_signals, initargs=(os.getpid(),))
    return manager


def _listen(members: list[BaseProcess], messages: Queue, tell: Tell) -> Record | None:
    found, told = None, False
    while True:
        codes = [member.exitcode for member in members]
        if STOP.asked is not None and not told:
            told = True
            for member in members:
                os.kill(member.pid, STOP.asked)
        try:
            message = messages.get(timeout=0.2)
        except Empty:
            if all(code == 0 for code in codes):
                return found
            if any(code not in (None, 0) for code in codes):
                raise ChildProcessError(f"a process of the run ended with {codes}") from None
            continue
        if isinstance(message, Event):
            tell(message)
        elif isinstance(message, Record):
            found = message
        else:
            raise message


def _from_first_node(request: Request) -> Record:
    found = request.finished()
    if found is None:
        raise Problem(f"the first node left no record of {request.name} in {request.folder}")
    return found


def _meeting_point(request: Request, machine: Machine) -> tuple[str, int]:
    """Where the processes of a run meet: address and port."""
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
    found = re.match(r"([^,\[]*)(?:\[(\d+))?", nodes)
    return found[1] + (found[2] or "")
