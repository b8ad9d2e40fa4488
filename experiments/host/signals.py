"""A cluster's warning: SIGTERM or SIGUSR1 asks a run to save and stop at its next step.

The same signal often comes twice at once, to a process and to its group. One that is repeated later
than `PATIENCE` seconds ends the process there and then: its steps are too long to wait for.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE = 10.0
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Stopped(Exception):
    """The run was asked to stop, before it began or once it had saved; it goes on later."""

    def __init__(self, number: int | None = None, saved: bool = False) -> None:
        super().__init__(number, saved)
        self.number, self.saved = number, saved

    def __str__(self) -> str:
        name = signal.Signals(self.number).name if self.number else "a signal"
        return ("saved and " if self.saved else "") + f"stopped by {name}"


class Stop:
    """Remembers that a stop was asked for; `asked` is the signal, or None."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.since = 0.0

    def listen(self) -> None:
        """Answer the signals, here and now, by remembering them; in the main thread alone."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._ask)

    def check(self) -> None:
        """Raise Stopped where a stop was asked for."""
        if self.asked is not None:
            raise Stopped(self.asked)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.asked is None:
            self.asked, self.since = number, time.monotonic()
        elif time.monotonic() - self.since > PATIENCE:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


STOP = Stop()  # one for the process: a signal meant for it stops whatever it runs


@contextmanager
def block_sigint() -> Iterator[None]:
    """What is started within hears no Ctrl-C, not even while it starts: whoever starts it does."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def exit_with_parent(parent: int) -> None:
    """Let this process end soon after its parent does, however that one was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def ignore_stop_signals(parent: int, *_: object) -> None:
    """Let a process that only serves others go on until they are done, and end with its parent."""
    for number in (*SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    exit_with_parent(parent)
