"""Files that are there whole or as they were before."""

from __future__ import annotations

import os
from pathlib import Path


def put(path: Path, *parts: bytes | memoryview, beside: Path, before: Path | None = None) -> None:
    """Write `parts` to `beside`, flush it and rename it to `path`.

    The file that was at `path` moves to `before`, if that is given. Where writing fails, nothing
    has changed.
    """
    beside.unlink(missing_ok=True)  # a link with that name is not written through
    try:
        with beside.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if before is not None and path.exists():
        path.replace(before)
    beside.replace(path)


def put_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file so, beside itself under a name of this process's own."""
    put(path, content, beside=path.with_suffix(f".{os.getpid()}.partial"))


def put_text(path: Path, text: str) -> None:
    """Write a text file so."""
    put_bytes(path, text.encode())
