"""Where images come from, before any is opened: enough to check, to identify and to count.

No torch here but for timm's own data sets: bad data is named without waiting for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.data.folder import Folder, read_folder
from experiments.data.fractals import Fractals
from experiments.data.shards import read_shards
from roadmap.errors import Problem

if TYPE_CHECKING:
    from experiments.data.timm_data import TimmData

PREFIXES = ("torch", "hfds", "hfids", "tfds", "wds")
CHOICES = (
    "'fractals', a directory or a .tar with train/ and val/, or a data set of timm's "
    f"({'/…, '.join(PREFIXES)}/…)"
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set by name: its images' fingerprint, its classes, its number of training images."""

    name: str
    fingerprint: str
    classes: int
    images: int
    origin: Fractals | Folder | TimmData


@cache
def read_source(name: str | None, root: Path | None = None) -> Source:
    """The embedded `fractals`, an image folder or a tar of one, or a data set of timm's.

    `root` is where timm looks for its own and downloads them to. Raises Problem for what does not
    fit.
    """
    if name is None:
        raise Problem(f"this roadmap has no data of its own; give --data: {CHOICES}")
    if name == "fractals":
        origin = Fractals()
        return Source(
            name=name,
            fingerprint=origin.fingerprint,
            classes=origin.categories,
            images=origin.categories * origin.train,
            origin=origin,
        )
    path = Path(name)
    if path.is_dir() or path.is_file():
        return _of_files(path.resolve().name.removesuffix(".tar"), read_folder(path))
    if name.partition("/")[0].lower() not in PREFIXES or "/" not in name:
        raise Problem(f"data {name} does not exist; valid: {CHOICES}")
    if name.lower().startswith("wds/"):
        return _of_files(name, read_shards(name, root))
    from experiments.data.timm_data import read_timm_data

    data = read_timm_data(name, root or cache_folder() / "datasets")
    return Source(
        name=name,
        fingerprint=data.fingerprint,
        classes=data.classes,
        images=data.images,
        origin=data,
    )


def _of_files(name: str, folder: Folder) -> Source:
    return Source(
        name=name,
        fingerprint=folder.fingerprint,
        classes=len(folder.classes),
        images=len(folder.samples["train"]),
        origin=folder,
    )


def cache_folder() -> Path:
    """Where made data is kept: $ROADMAP_CACHE, else `roadmap` in the user's cache directory."""
    standard = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ROADMAP_CACHE") or Path(standard) / "roadmap")
