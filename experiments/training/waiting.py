"""Waiting for data: a stop signal ends the wait even if no batch ever comes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from experiments.host.signals import STOP, Stopped


class Loader(Protocol):
    """What gives batches: torch's DataLoader, or one of ours."""

    sampler: Any

    def __len__(self) -> int:
        """Return the number of batches."""

    def __iter__(self) -> Iterator[object]:
        """Yield an epoch's batches."""


class StoppableLoader:
    """A loader whose waits end `patience()` seconds after a stop signal.

    `stopped()` is then called: it may save, and returns whether it did.
    """

    batch_sampler = None  # Lightning looks for it: the sampler itself makes batches

    def __init__(
        self,
        loader: Loader,
        *,
        patience: Callable[[], float],
        stopped: Callable[[], bool],
    ) -> None:
        self.loader, self.patience, self.stopped = loader, patience, stopped

    @property
    def sampler(self) -> Any:
        """The loader's sampler, to which Lightning passes the epoch."""
        return self.loader.sampler

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[object]:
        batches = iter(self.loader)
        while True:
            try:
                with STOP.ends_wait(self.patience()):
                    batch = next(batches)
            except StopIteration:
                return
            except Stopped as stop:
                raise Stopped(stop.number, saved=self.stopped()) from None
            yield batch


@contextmanager
def loading_processes_ended() -> Iterator[None]:
    """Kill the processes that were started within, when the code within ends.

    They only load images. One that is stuck would keep this process from ending.
    """
    others = set(multiprocessing.active_children())
    try:
        yield
    finally:
        before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch raises for each that dies
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
            process.join()
        signal.signal(signal.SIGCHLD, before)
