"""Lock a run's folder: a second process waits for the first, or is refused."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.host.events import Message, Observer
from experiments.host.signals import STOP
from roadmap.errors import Problem, escaped
from roadmap.files import check_ends, put_text


def lock_of(folder: Path) -> FileLock:
    """Return the lock of a run's folder, not acquired yet."""
    path = folder / "lock"
    if path.is_symlink():  # the lock would be taken on a file elsewhere
        path.unlink()
    return FileLock(path)


def is_held(folder: Path) -> bool:
    """Return whether a process holds the run in `folder`. Nothing is created or changed.

    The test takes a shared lock for a moment: a process that starts right then waits that long.
    """
    lock = folder / "lock"
    try:
        check_ends(lock)
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (OSError, ValueError):  # no such file, no file, or a file system without locks
        return False
    return False


def _acquire(lock: FileLock) -> None:
    """Wait for the lock or for a stop signal."""
    while True:
        STOP.check()
        with suppress(Timeout):
            lock.acquire(timeout=0.5)
            return


@contextmanager
def exclusive_run(folder: Path, name: str, wait: bool, observe: Observer) -> Iterator[None]:
    """Hold the run in `folder`; the system releases it however the process ends.

    Raises Problem if another process holds it and `wait` is False.
    """
    holder, held = folder / "holder.txt", lock_of(folder)
    try:
        held.acquire(timeout=0)
    except Timeout:
        who = who_holds(folder)
        if not wait:
            raise Problem(
                f"{name} is being trained by {who}; without --no-wait this waits"
            ) from None
        observe(Message(run=name, text=f"waiting for {who}, which trains it", state="waiting"))
        _acquire(held)
    try:
        put_text(holder, f"process {os.getpid()} on {os.uname().nodename}")
        yield
    finally:
        held.release()


def who_holds(folder: Path) -> str:
    """Return what the process that holds the run wrote about itself."""
    holder = folder / "holder.txt"
    if holder.is_symlink() or not holder.is_file():
        return "another process"
    with holder.open(errors="replace") as file:
        return escaped(file.read(200))
