"""Where generated and downloaded data is kept."""

from __future__ import annotations

import os
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
