"""Remove what finished runs no longer need: their checkpoints, and folders moved aside."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from experiments.host.imports import imported_without_gc
from experiments.host.lock import lock_of
from experiments.host.machine import Keep
from roadmap.errors import Problem
from roadmap.record import read_record

CHECKPOINTS = ("last.ckpt", "before.ckpt", "last.damaged", "before.damaged", "last.partial")
ASIDE = re.compile(r"[0-9a-f]{12}\.aside-[0-9]+")  # as `Request.set_aside` names a run's folder


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A file or folder that can go, and its size in bytes."""

    path: Path
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was removed, and a message for each run that could not be pruned."""

    removed: tuple[Leftover, ...]
    faults: tuple[str, ...] = ()


def leftovers(runs: Path, keep: Keep = "weights") -> list[Leftover]:
    """Return what `prune` removes below a folder of runs, without changing anything.

    Unfinished runs keep their checkpoints, and runs in progress are left alone. What another
    process removes meanwhile, such as a run that finishes, is not listed.
    """
    found = []
    for folder in _folders(runs):
        for path in _of_run(folder, keep):
            with suppress(FileNotFoundError):
                found.append(Leftover(path=path, bytes=_size(path)))
    return found


def prune(runs: Path, keep: Keep = "weights") -> Pruned:
    """Remove leftovers; a run where that fails is named and stays as it is.

    With `keep` of "weights", the weights of a finished run are saved before its checkpoints go.
    """
    removed: list[Leftover] = []
    faults: list[str] = []
    for folder in _folders(runs):
        if not _of_run(folder, keep):  # a lock file belongs into folders of runs alone
            continue
        try:
            with suppress(Timeout), lock_of(folder).acquire(timeout=0):
                removed += _prune_run(folder, keep)
        except (OSError, ValueError) as fault:
            faults.append(f"run {folder.name} is not pruned: {fault}")
    return Pruned(removed=tuple(removed), faults=tuple(faults))


def _prune_run(folder: Path, keep: Keep) -> list[Leftover]:
    """Remove what can go of a run's folder; raise ValueError for a damaged checkpoint."""
    going = [Leftover(path=path, bytes=_size(path)) for path in _of_run(folder, keep)]
    if any(leftover.path.name in CHECKPOINTS for leftover in going):
        with imported_without_gc():
            from experiments.training.weights import keep_only
        try:
            keep_only(keep, folder)
        except (ValueError, RuntimeError, EOFError, KeyError) as fault:
            raise ValueError(f"{fault}; `roadmap prune --keep none` removes it") from None
    for leftover in going:
        if leftover.path.is_dir():
            _remove_folder(leftover.path)
        else:
            leftover.path.unlink(missing_ok=True)
    return going


def _remove_folder(folder: Path) -> None:
    """Remove a run's folder, the lock file last, so that the next `prune` knows what is left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink(missing_ok=True)
    shutil.rmtree(folder)


def _folders(runs: Path) -> Iterator[Path]:
    """Yield the folders of runs, and those moved aside."""
    if not runs.is_dir():
        raise Problem(f"there is no folder of runs {runs}")
    for folder in sorted(runs.iterdir()):
        if folder.is_dir() and not folder.is_symlink():
            yield folder


def _of_run(folder: Path, keep: Keep) -> list[Path]:
    """Return what can go of a run's folder: the folder itself if it was moved aside."""
    if ASIDE.fullmatch(folder.name):
        own = (folder / "lock").exists() or not any(folder.iterdir())
        return [folder] if own else []
    with suppress(Problem):
        if read_record(folder / "record.json").identity.run != folder.name:
            return []  # it says nothing about this run, which may need its checkpoints to resume
        kept = {"last": {"last.ckpt"}, "weights": set[str](), "none": set[str]()}[keep]
        names = [*CHECKPOINTS, *(["weights.safetensors"] if keep == "none" else [])]
        return [folder / name for name in names if name not in kept and (folder / name).exists()]
    return []


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
    return path.lstat().st_size
