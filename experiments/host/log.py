"""`log.txt`, the log of one run: its messages, its epochs and the traceback of a failure."""

from __future__ import annotations

import datetime
import os
import stat
import traceback
from pathlib import Path

from experiments.host.events import Event, RunDone, RunFailed
from roadmap.errors import escaped


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Log:
    """An observer that appends each event's line, with the time, to a file.

    Lines of a traceback are indented: only a line of ours begins with a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: Event) -> None:
        """Append the event's line, if it has one."""
        if isinstance(event, RunFailed):
            trace = "".join(traceback.format_exception(event.error)).splitlines()
            self._append(escaped(event.reason), *(f"    {escaped(line)}" for line in trace))
        elif event.line and not isinstance(event, RunDone):  # the record says more
            self._append(escaped(event.line))

    def _append(self, *lines: str) -> None:
        """Append to the file itself: whatever else has its name, such as a link, is removed."""
        if os.path.lexists(self.path) and not stat.S_ISREG(self.path.lstat().st_mode):
            self.path.unlink()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(self.path, flags, 0o666)
        with os.fdopen(handle, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{now()} " + "\n".join(lines) + "\n")
