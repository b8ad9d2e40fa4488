"""Where generated and downloaded data is kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from roadmap.errors import Problem

UNFINISHED = "-unfinished-"  # in names of folders that are being filled, before 32 random digits


def cache_folder() -> Path:
    """Return $ROADMAP_CACHE, else `roadmap` in the user's cache folder. Raises Problem."""
    if own := os.environ.get("ROADMAP_CACHE"):
        return Path(own)
    if standard := os.environ.get("XDG_CACHE_HOME"):
        return Path(standard) / "roadmap"
    try:
        return Path.home() / ".cache" / "roadmap"
    except RuntimeError:  # HOME is not set and the user id has no entry in the password database
        raise Problem(
            "no folder for generated data: this user has no home folder; "
            "set ROADMAP_CACHE to a folder that can be written"
        ) from None


def make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return the folder; if it does not exist, `make` fills a temporary one, which is renamed.

    So a folder with the final name is always complete. If two processes race, the later one uses
    the folder of the earlier one. Temporary folders that killed processes left are removed.
    """
    _remove_abandoned(folder.parent)
    if not folder.is_dir():
        unfinished, held = _begin(folder)
        try:
            make(unfinished)
            try:
                unfinished.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            os.close(held)
    return folder


def _begin(folder: Path) -> tuple[Path, int]:
    """Make a temporary folder; return it with a descriptor that keeps it locked until closed."""
    while True:
        path = folder.with_name(f"{folder.name}{UNFINISHED}{uuid.uuid4().hex}")
        path.mkdir(parents=True)
        with suppress(FileNotFoundError):
            held = os.open(path, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks
                fcntl.flock(held, fcntl.LOCK_EX)
            if path.is_dir():
                return path, held
            os.close(held)  # another process removed it before it was locked


def _remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders in `parent` that no process holds."""
    for path in parent.glob(f"*{UNFINISHED}{'[0-9a-f]' * 32}"):
        with suppress(OSError):
            found = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(found)
