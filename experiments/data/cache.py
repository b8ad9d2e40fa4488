"""Where generated and downloaded data is kept."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from roadmap.errors import Problem


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
    the folder of the earlier one.
    """
    if not folder.is_dir():
        unfinished = folder.with_name(f"{folder.name}-unfinished-{uuid.uuid4().hex}")
        unfinished.mkdir(parents=True)
        try:
            make(unfinished)
            try:
                unfinished.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder
