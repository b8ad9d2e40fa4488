"""Write files so that they are whole or unchanged after a crash; read only what ends."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO


def put(path: Path, *parts: bytes | memoryview, partial: Path, before: Path | None = None) -> None:
    """Write `parts` to the file `partial`, flush it and rename it to `path`.

    If `before` is given, an existing file at `path` moves there. If writing fails, nothing changes.
    A link at `path` or `partial` is replaced and never followed. Raises OSError if a device or a
    named pipe is at `path`, such as /dev/null: it must not be replaced.
    """
    if is_special(path):
        raise OSError(errno.EEXIST, "is a device or a named pipe, not a file", str(path))
    partial.unlink(missing_ok=True)  # a link with that name is not written through
    try:
        with _held(partial) as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            if before is not None and path.exists():
                path.replace(before)
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _held(partial: Path) -> BinaryIO:
    """Return a new file, locked until it is closed: `_remove_abandoned` leaves it alone."""
    while True:
        file = partial.open("xb")
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # it was removed before it was locked


def is_special(path: Path) -> bool:
    """Return whether a device, a named pipe or a socket is at `path`. A link is none of them."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not (_ends(mode) or stat.S_ISLNK(mode))


def _ends(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def put_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file in this way; the temporary file has the process number in its name.

    Temporary files of this file that killed processes left before this one wrote are removed.
    """
    _remove_abandoned(path)
    put(path, content, partial=path.with_suffix(f".{os.getpid()}.partial"))


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of `path` that no process holds."""
    for partial in _abandoned(path.parent.absolute()).get(path.stem, ()):
        with suppress(OSError), partial.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()


@cache
def _abandoned(folder: Path) -> dict[str, list[Path]]:
    """Return the temporary files in a folder by stem; it is read once, not for each file."""
    found: dict[str, list[Path]] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = re.fullmatch(r"(.+)\.[0-9]+\.partial", entry.name, re.DOTALL)
            if match and entry.is_file(follow_symlinks=False):
                found.setdefault(match[1], []).append(Path(entry.path))
    return found


def put_text(path: Path, text: str) -> None:
    """Write a text file in the same way."""
    put_bytes(path, text.encode())


def check_size(size: int, limit: int) -> None:
    """Raise ValueError if a file of `size` bytes is larger than `limit`."""
    if size > limit:
        raise ValueError(f"{size:,} bytes are more than {limit:,}")


def check_ends(path: Path) -> int:
    """Return a file's size; raise ValueError for a named pipe or a device, which may never end."""
    status = path.stat()
    if not _ends(status.st_mode):
        raise ValueError("not a regular file")
    return status.st_size


def read_text(path: Path, *, limit: int) -> str:
    """Return the text of a file of at most `limit` bytes, without a byte order mark.

    Raises ValueError if the file is larger, or if `check_ends` does.
    """
    check_size(check_ends(path), limit)
    return path.read_text(encoding="utf-8-sig")
