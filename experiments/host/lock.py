"""One process at a run: a second waits for the first, or is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.host.progress import Tell, said
from experiments.host.signals import STOP
from roadmap.errors import Problem


def _acquire(lock: FileLock) -> None:
    """Wait for the lock, or for a signal to stop."""
    while True:
        STOP.check()
        with suppress(Timeout):
            lock.acquire(timeout=1)
            return


@contextmanager
def exclusive_run(folder: Path, name: str, wait: bool, tell: Tell) -> Iterator[None]:
    """Hold the run in `folder`; the system lets go of it when the process ends, however that is.

    Raises Problem where another process holds it and `wait` is False.
    """
    lock, holder = FileLock(folder / "lock"), folder / "holder.txt"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text(errors="replace") if holder.exists() else "another process"
        if not wait:
            raise Problem(
                f"{name} is being trained by {who}; without --no-wait this waits"
            ) from None
        line = f"waiting for {who}, which trains it"
        tell(said(name, line, state="waiting"))
        _acquire(lock)
    try:
        holder.write_text(f"process {os.getpid()} on {os.uname().nodename}")
        yield
    finally:
        lock.release()
