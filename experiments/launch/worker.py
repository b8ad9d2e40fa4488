"""Worker processes: each runs one function after another and sends back events and results.

Everything goes through a pipe of each worker's own. So a worker that is killed harms no other, and
there are no semaphores, threads or servers to clean up.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from experiments.host.events import Event, Observer
from experiments.host.signals import STOP, Stopped, block_sigint, exit_with_parent

POLL = 0.2  # seconds between two looks at processes and signals


@dataclass(frozen=True)
class Result:
    """What a function returned, or the exception by which it ended."""

    value: Any


class Worker:
    """A process that is started afresh, so that no state is shared; it ends with its parent.

    Ctrl-C does not reach it: its parent tells it to stop.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(os.getpid(), theirs))
        resource_tracker.ensure_running()  # the first start of a process would unblock SIGINT
        with block_sigint():
            self.process.start()
        theirs.close()
        self.busy = self.told = False

    def submit(self, function: Callable[..., object], *arguments: object) -> None:
        """Run `function(*arguments, observe)` in the process."""
        self.busy = True
        with suppress(OSError):  # a process that is dead is noticed by `collect`
            self.connection.send((function, arguments))

    def tell(self, number: int) -> None:
        """Send the process a signal."""
        if self.process.is_alive() and self.process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def receive(self) -> Event | Result:
        """Return what the process sent last; a Result with an exception if the process is dead."""
        with suppress(EOFError, OSError, pickle.UnpicklingError):
            return self.connection.recv()
        self.process.kill()
        self.process.join()
        if self.told:
            return Result(Stopped(STOP.asked))
        return Result(ChildProcessError(f"its process {_ending(self.process.exitcode)}"))

    @property
    def has_news(self) -> bool:
        """Whether `receive` returns at once."""
        return self.connection.poll() or self.process.exitcode is not None


def collect(workers: Sequence[Worker], observe: Observer) -> list[tuple[Worker, Any]]:
    """Wait a moment; pass on events, and return the workers that are done, with their results.

    A stop signal is passed on to all workers, once.
    """
    busy = [worker for worker in workers if worker.busy]
    if STOP.asked is not None:
        for worker in busy:
            if not worker.told:
                worker.told = True
                worker.tell(STOP.asked)
    wait([worker.connection for worker in busy], timeout=POLL)
    done = []
    for worker in busy:
        while worker.busy and worker.has_news:
            message = worker.receive()
            if isinstance(message, Event):
                observe(message)
            else:
                worker.busy = False
                done.append((worker, message.value))
    return done


@contextmanager
def started(workers: list[Worker]) -> Iterator[None]:
    """End the workers when the code within ends, however it does.

    After a failure or Ctrl-C they are told to save and stop; a second Ctrl-C kills them.
    """
    try:
        yield
        for worker in workers:
            with suppress(OSError):
                worker.connection.send(None)
    except BaseException:
        for worker in workers:
            worker.tell(signal.SIGTERM)
        raise
    finally:
        for worker in workers:  # so that none waits for this process while it is waited for
            worker.connection.close()
        try:
            for worker in workers:
                worker.process.join()
        except KeyboardInterrupt:
            for worker in workers:
                worker.process.kill()
                worker.process.join()
            raise KeyboardInterrupt from None


def _serve(parent: int, connection: Connection) -> None:
    """Run what the parent asks for until it asks for nothing more."""
    exit_with_parent(parent)
    STOP.listen()

    def observe(event: Event) -> None:
        with suppress(OSError):  # a parent that is gone ends this process soon
            connection.send(event)

    while True:
        try:
            with STOP.ends_wait(after=0):
                message = connection.recv()
        except (EOFError, OSError, Stopped):
            return
        if message is None:
            return
        function, arguments = message
        try:
            result = function(*arguments, observe)
        except (Exception, SystemExit) as error:
            result = _sendable(error)
        with suppress(OSError):
            connection.send(Result(result))


def _sendable(error: BaseException) -> Exception:
    """Return the exception, or its text in another one if it cannot be pickled and read back."""
    try:
        if isinstance(error, Exception):
            pickle.loads(pickle.dumps(error))
            return error
    except Exception:  # whatever a foreign exception's own code raises
        pass
    return RuntimeError(f"{type(error).__name__}: {error}")


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"
