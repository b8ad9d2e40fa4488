"""A run's own log: what it told of itself, and how it failed."""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.host.progress import Event, Tell


def now() -> str:
    """The time, UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@contextmanager
def logged(path: Path, tell: Tell) -> Iterator[Tell]:
    """Within, what is told also goes to the end of a file; so does the traceback of a failure."""
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:

        def write(text: str) -> None:
            file.write(f"{now()} {text}\n")
            file.flush()

        def both(event: Event) -> None:
            if event.line:
                write(event.line)
            tell(event)

        try:
            yield both
        except BaseException:
            write(traceback.format_exc())
            raise
