"""Stop signals: SIGTERM, SIGUSR1 and SIGHUP ask a run to save and stop at its next step.

The same signal often comes twice at once, to a process and to its group. A signal repeated more
than `PATIENCE` seconds later ends the process immediately: its steps take too long.
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
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class Stopped(Exception):
    """The run was asked to stop; `saved` says whether all its steps are in a checkpoint."""

    def __init__(self, number: int | None, saved: bool = False) -> None:
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
        self._waits: tuple[float, float] | None = None  # start of a wait, seconds it may last
        self._nudged = False

    def listen(self) -> None:
        """Remember stop signals from now on; only the main thread can install handlers.

        SIGHUP stays ignored under `nohup`.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._ask)

    def check(self) -> None:
        """Raise Stopped if a stop was asked for."""
        if self.asked is not None:
            raise Stopped(self.asked)

    @contextmanager
    def ends_wait(self, after: float) -> Iterator[None]:
        """Raise Stopped in the code within if it lasts longer than `after` seconds after a signal.

        For waits that may never end, such as for a loading process.
        """
        self._waits = time.monotonic(), after
        try:
            yield
        finally:
            self._waits = None

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        nudged, self._nudged = self._nudged, False
        if self.asked is None:
            self.asked, self.since = number, time.monotonic()
            threading.Thread(target=self._nudge, daemon=True).start()
        if self._overdue():
            raise Stopped(self.asked)
        if not nudged and time.monotonic() - self.since > PATIENCE:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _overdue(self) -> bool:
        if (waits := self._waits) is None:
            return False
        start, seconds = waits
        return time.monotonic() - max(start, self.since) >= seconds

    def _nudge(self) -> None:
        """Repeat the signal in the main thread whenever a wait must end."""
        main = threading.main_thread()
        while main.is_alive() and self.asked is not None:
            if self._overdue():
                self._nudged = True
                signal.pthread_kill(main.ident or 0, self.asked)
            time.sleep(0.2)


STOP = Stop()  # one per process: a signal to the process stops whatever it runs


@contextmanager
def block_sigint() -> Iterator[None]:
    """Block SIGINT in child processes started here; only the parent handles Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def exit_with_parent(parent: int) -> None:
    """Exit soon after the parent process does, however the parent ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def ignore_stop_signals(parent: int, *_: object) -> None:
    """Ignore stop signals in a helper process; exit when its parent exits."""
    for number in (*SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    exit_with_parent(parent)
