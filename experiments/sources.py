"""Where images come from, before any is opened: enough to check, to identify and to count.

No torch here: bad data is named, and finished runs are found, without waiting for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from experiments.folder import Folder, read_folder
from experiments.fractals import Fractals
from roadmap.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set by name: its images' fingerprint, its classes, its number of training images."""

    name: str
    fingerprint: str
    classes: int
    images: int
    origin: Fractals | Folder


@cache
def read_source(name: str | None) -> Source:
    """The embedded `fractals`, or the image folder at that path; a Problem if it does not fit."""
    if name is None:
        raise Problem("this roadmap has no data of its own; give --data: 'fractals' or a directory")
    if name == "fractals":
        origin = Fractals()
        return Source(
            name=name,
            fingerprint=origin.fingerprint,
            classes=origin.categories,
            images=origin.categories * origin.train,
            origin=origin,
        )
    folder = read_folder(Path(name))
    return Source(
        name=folder.root.resolve().name,
        fingerprint=folder.fingerprint,
        classes=len(folder.classes),
        images=len(folder.samples["train"]),
        origin=folder,
    )


def cache_folder() -> Path:
    """Where made data is kept: $ROADMAP_CACHE, else `roadmap` in the user's cache directory."""
    standard = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ROADMAP_CACHE") or Path(standard) / "roadmap")
