"""Copy images to a disk of this machine, with a checksum, so that runs read them from there."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from experiments.data.folder import SPLITS
from experiments.data.prepared import NOTE
from experiments.data.scene_folder import SceneFolder
from experiments.data.source import Source
from experiments.request import Request
from experiments.settings import Settings
from roadmap.errors import Problem
from roadmap.files import put_text

BLOCK = 1 << 20
DONE = "roadmap-copy.txt"  # next to a copy that is whole: the checksum of all its files
FULL = (errno.ENOSPC, errno.EDQUOT)

Say = Callable[[str], None]


def from_scratch(requests: Sequence[Request], scratch: Path, say: Say) -> list[Request]:
    """Return the requests on a copy of their data in `scratch`; the copy is made if it is missing.

    Variables such as `$TMPDIR` in `scratch` are replaced by this machine's. If the disk is full,
    the requests stay as they are, and `say` is told.
    """
    settings = requests[0].settings
    if all((request.folder / "record.json").exists() for request in requests):
        return list(requests)
    place = Path(os.path.expandvars(scratch))
    if "$" in str(place):
        raise Problem(f"--scratch {scratch}: this variable is not set here")
    try:
        copied = _copied(settings, place, say)
    except OSError as fault:
        if fault.errno not in FULL:
            raise
        say(f"--scratch {place}: {fault.strerror}; reading {settings.source.name} in its place")
        return list(requests)
    return [replace(request, settings=copied) for request in requests]


def _copied(settings: Settings, scratch: Path, say: Say) -> Settings:
    """Return the settings with data in `scratch`; one process copies, others wait for it."""
    source, origin = settings.source, _path(settings)
    place = scratch / f"roadmap-{source.fingerprint}"
    copy = place / origin.resolve().name
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / "lock"):
        if not (place / DONE).is_file():
            say(f"copying {source.name} to {place}")
            try:
                checksum = _copy(origin, copy)
            except OSError:
                _remove(copy)  # what is there fills the disk for nothing
                raise
            put_text(place / DONE, f"sha256 {checksum}\n")
    made = Settings.of(settings.config, data=str(copy), data_root=None, runs=settings.runs)
    _check_same(made.source, source, copy)
    return made


def _path(settings: Settings) -> Path:
    """Return the folder or tar that the data is; raise Problem for data of another kind."""
    name = settings.data or settings.config.roadmap_as_read.data
    if settings.data is None and settings.config.study is not None:
        name = settings.config.study.roadmap.data
    if isinstance(settings.source, SceneFolder):
        raise Problem(f"--scratch copies images in class folders; data {name} has annotations")
    if name is None or not Path(name).exists():
        raise Problem(f"--scratch copies a folder or a .tar of images; data {name} is neither")
    return Path(name)


def _check_same(copied: Source, source: Source, copy: Path) -> None:
    if copied.fingerprint != source.fingerprint:
        raise Problem(f"{copy} is not what {source.name} is now; remove {copy.parent}")


def _copy(origin: Path, copy: Path) -> str:
    """Copy a file, or train/ and val/ of a folder; return the SHA-256 of all names and contents.

    Each copy is read again and compared. Raises Problem if it differs.
    """
    whole = hashlib.sha256()
    for name in sorted(_files(origin)):
        from_path, to_path = origin / name, copy / name
        to_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(from_path, to_path)
        content = _sha256(from_path)
        if _sha256(to_path, from_disk=True) != content:
            raise Problem(f"{to_path} differs from {from_path} after copying; check the disk")
        whole.update(f"{name}\0{content}\n".encode())
    return whole.hexdigest()


def _files(origin: Path) -> Iterator[str]:
    """Yield the names of the files to copy, relative to `origin`; of a tar only ``."""
    if origin.is_file():
        yield ""
        return
    if (origin / NOTE).is_file():
        yield NOTE
    for split in SPLITS:
        for folder, folders, names in os.walk(origin / split, followlinks=True):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inside = Path(folder).relative_to(origin)
            yield from (str(inside / name) for name in names if (Path(folder) / name).is_file())


def _sha256(path: Path, *, from_disk: bool = False) -> str:
    """Return a file's SHA-256; `from_disk` first drops it from the system's cache, if it can."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        if from_disk and hasattr(os, "posix_fadvise"):
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while block := file.read(BLOCK):
            total.update(block)
    return total.hexdigest()


def _remove(copy: Path) -> None:
    if copy.is_dir():
        shutil.rmtree(copy, ignore_errors=True)
    else:
        copy.unlink(missing_ok=True)
