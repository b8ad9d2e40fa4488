"""Many runs: each is trained once, several at a time, and one that fails does not stop the others.

Torch is loaded only where something is left to train.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from queue import Queue

from experiments.host.imports import imported_without_gc
from experiments.host.machine import Machine, gpus, own_gpus
from experiments.host.progress import Display, Event
from experiments.host.signals import STOP, Stopped, block_sigint, exit_with_parent
from experiments.launch.distributed import served
from experiments.request import Request
from roadmap.errors import Problem
from roadmap.record import Record
from roadmap.spec import Reference


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The records of a path, and what went wrong with the runs that have none."""

    records: tuple[Record, ...]
    failures: dict[str, str]
    stopped: int = 0  # the signal that asked to stop


def run_all(
    requests: Sequence[Request],
    *,
    jobs: int,
    machine: Machine,
    command: str,
    restart: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Train what is not trained yet, `jobs` runs at a time, showing progress.

    With `restart` all of them anew; what there is of them is kept aside. `say` is told, in a line,
    which runs are finished already.
    Raises Problem at once where a request does not fit, before anything is trained.
    """
    machine.check()
    for request in requests:
        request.check(machine)
    if restart:
        _check_references(requests)
        for request in requests:
            request.check_free()
        for request in requests:
            request.set_aside()
    failures: dict[str, str] = {}
    records = {request: _finished(request, failures) for request in requests}
    missing = [
        request for request in requests if records[request] is None and request.name not in failures
    ]
    for name, failure in failures.items():
        say(f"{name} failed: {failure}")
    if any(records.values()):
        say(_kept(records))
    if not missing:
        return Outcome(records=tuple(filter(None, records.values())), failures=failures)
    _check_references(missing)
    stopped = 0
    STOP.listen()
    with Display(len(missing)) as display:
        if jobs == 1 or len(missing) == 1:
            found = _here(missing, machine, command, display)
        else:
            found = _apart(missing, jobs, machine, command, display)
        for request, result in found:
            if isinstance(result, Record):
                records[request] = result
                display.over(request.name, summary(result))
            elif isinstance(result, Stopped):
                stopped = result.number or signal.SIGTERM
                display.over(request.name, str(result))
            else:
                known = isinstance(result, Problem | OSError)
                kind = "" if known else f"{type(result).__name__}: "
                failures[request.name] = f"{kind}{result}"
                where = "" if known else f" ({request.folder / 'log.txt'} has the traceback)"
                display.over(request.name, f"failed, {failures[request.name]}{where}")
    finished = tuple(record for record in records.values() if record)
    return Outcome(records=finished, failures=failures, stopped=STOP.asked or stopped)


def _finished(request: Request, failures: dict[str, str]) -> Record | None:
    """A request's record, if there is one; one that cannot be read is this run's failure alone."""
    try:
        return request.finished()
    except Problem as problem:
        failures[request.name] = f"{problem}; --restart begins it anew"
        return None


def _kept(records: Mapping[Request, Record | None]) -> str:
    """Which runs are there already; a run is known by its content, whatever it was started as."""
    kept = [(request, record) for request, record in records.items() if record]
    if len(records) > 1:
        return f"{len(kept)} of {len(records)} runs are finished already; not trained again"
    request, record = kept[0]
    asked, label = request.label, record.label
    alias = "" if (asked.roadmap, asked.row) == (label.roadmap, label.row) else (
        f", as row {label.row} of {label.roadmap}"
    )  # fmt: skip
    day = record.provenance.finished.partition("T")[0]
    return f"{request.name}: finished on {day}{alias}; not trained again (--restart does)"


def _check_references(missing: Sequence[Request]) -> None:
    references = [each.spec.network for each in missing if isinstance(each.spec.network, Reference)]
    if references:  # timm's names are known to timm alone, which takes seconds to load
        with imported_without_gc():
            from roadmap.network import check_reference

        for reference in references:
            check_reference(reference)


def summary(record: Record) -> str:
    """A finished run in a few words."""
    if record.status == "diverged":
        return "diverged"
    return (
        f"top-1 {record.top1:.2f} %, {record.images_per_second:.0f} images/s, "
        f"{record.wall_seconds:.0f} s"
    )


Found = Iterable[tuple[Request, Record | Exception]]


def _here(missing: Sequence[Request], machine: Machine, command: str, display: Display) -> Found:
    with imported_without_gc():
        from experiments.launch.run import train

    for request in missing:
        if STOP.asked is not None:
            return
        try:
            yield request, train(request, machine=machine, command=command, tell=display.tell)
        except (Exception, SystemExit) as error:
            yield request, error


def _apart(
    missing: Sequence[Request], jobs: int, machine: Machine, command: str, display: Display
) -> Found:
    """Each run in one of `jobs` processes, which are started afresh so that no state is shared."""
    context = multiprocessing.get_context("spawn")
    with served(context) as manager:
        events = manager.Queue()
        listener = threading.Thread(target=_listen, args=(events, display), daemon=True)
        listener.start()
        waiting, again = list(missing), True
        while waiting:
            places = manager.Queue()
            for job in range(jobs):
                places.put(job)
            broken = []
            with ProcessPoolExecutor(
                min(jobs, len(waiting)),
                mp_context=context,
                initializer=_settle,
                initargs=(os.getpid(), places, machine.devices),
            ) as pool:
                for request, result in _collected(pool, waiting, machine, command, events):
                    if isinstance(result, BrokenProcessPool) and again and STOP.asked is None:
                        broken.append(request)  # its own process was killed, or another's
                    else:
                        yield request, result
            waiting, again = broken, False
        events.put(None)
        listener.join()


def _collected(
    pool: Executor, missing: Sequence[Request], machine: Machine, command: str, events: Queue
) -> Found:
    with block_sigint():
        futures: dict[Future, Request] = {
            pool.submit(_train_apart, each, machine, command, events): each for each in missing
        }
    try:
        for future in _as_completed(pool, futures):
            error = future.exception()
            yield futures[future], error if error else future.result()
    except BaseException:  # Ctrl-C: those that train save, and stop
        _end(pool, signal.SIGTERM)
        raise


def _as_completed(pool: Executor, futures: dict[Future, Request]) -> Iterator[Future]:
    """The runs as they end. A signal to stop goes on to those that train, and ends the rest."""
    waiting, told = set(futures), False
    while waiting:
        done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
        yield from (future for future in done if not future.cancelled())
        waiting -= {future for future in waiting if future.cancelled()}
        if STOP.asked is not None and not told:
            told = True
            _end(pool, STOP.asked)


def _end(pool: Executor, number: int) -> None:
    pool.shutdown(wait=False, cancel_futures=True)
    for child in multiprocessing.active_children():
        os.kill(child.pid, number)


def _settle(parent: int, places: Queue, devices: int) -> None:
    """Let a job's process end with its parent, and see only its own share of the GPUs."""
    exit_with_parent(parent)
    STOP.listen()
    own = own_gpus(places.get(), devices, gpus())
    if own is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(own)


def _train_apart(request: Request, machine: Machine, command: str, events: Queue) -> Record:
    with imported_without_gc():
        from experiments.launch.run import train

    return train(request, machine=machine, command=command, tell=events.put)


def _listen(events: Queue, display: Display) -> None:
    with suppress(EOFError, ConnectionError):  # the call was broken off
        while isinstance(event := events.get(), Event):
            display.tell(event)
