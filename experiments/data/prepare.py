"""Write a smaller copy of an image folder once, which every epoch of every run then reads faster.

The copy grows in `OUT.partial` and gets its name when it is complete and checked. The same command
continues it after a kill, and ends with the same bytes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from experiments.data.copies import Copy, copy_kind
from experiments.data.files import JPEG, File
from experiments.data.folder import Folder
from experiments.data.prepared import NOTE, Prepared
from experiments.data.resizing import fault_in_copy, in_order, resized
from roadmap.errors import Problem, escaped
from roadmap.files import put_bytes

Report = Callable[[str, int, int], None]  # what is done, done, total


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """A copy of `source`, which lies at `root`, to be written to `out` by `workers` processes.

    With `skip`, training images that cannot be opened are left out.
    """

    source: Folder
    root: Path
    out: Path
    how: Prepared
    workers: int
    skip: bool = False

    def run(self, report: Report, say: Callable[[str], None]) -> Folder:
        """Write the copy, or continue it; return it. Raises Problem."""
        self._check()
        name, kind = copy_kind(self.out)
        work = self.out.with_name(f"{self.out.name}.partial")
        if self.out.exists():
            existing = self._existing()
            self._remove_rest(work, name)
            return existing
        with _held(work):
            self._check_settings(work)
            copy = kind(work / name)
            left_out = self._write(copy, report, say)
            if NOTE not in copy.names:
                copy.put(NOTE, replace(self.how, left_out=len(left_out)).text())
            copy.close()
            self._verify(Folder.read(str(work / name), None), left_out, work, report)
            (work / name).rename(self.out)
        shutil.rmtree(work)
        return Folder.read(str(self.out), None)

    @cached_property
    def targets(self) -> dict[str, tuple[File, int]]:
        """The images of the source with their labels, by their names in the copy."""
        targets: dict[str, tuple[File, int]] = {}
        for samples in self.source.samples.values():
            targets |= {_jpeg_name(file.name): (file, label) for file, label in samples}
            for (file, label), (following, other) in pairwise(samples):
                first, second = (_jpeg_name(one.name) for one in (file, following))
                if label == other and PurePosixPath(first) >= PurePosixPath(second):
                    names = escaped(f"{file.name} and {following.name}")
                    raise Problem(f"{names} would change places as JPEG files; rename one of them")
        return targets

    def _check(self) -> None:
        """Raise Problem for a copy of a copy, or one within its source."""
        if self.source.prepared is not None:
            raise Problem(f"data {self.source.name} is a prepared copy itself; prepare its source")
        if self.root.resolve() in Path(os.path.realpath(self.out)).parents:
            raise Problem(
                f"--out {self.out} lies in the data that it would copy; give another folder"
            )

    def _existing(self) -> Folder:
        """Return the copy that is there already; raise Problem if something else is."""
        problem = Problem(f"--out {self.out} exists and is no such copy; give another or remove it")
        try:
            copy = Folder.read(str(self.out), None)
        except Problem:
            raise problem from None
        if copy.prepared is None or copy.prepared.identity != self.how.identity:
            raise problem
        return copy

    def _remove_rest(self, work: Path, name: str) -> None:
        """Remove what a kill right after the copy got its name left of the unfinished one."""
        if work.is_symlink() or not work.is_dir() or (work / name).exists():
            return
        with suppress(Problem, OSError), _held(work):  # another process may remove it
            if {path.name for path in work.iterdir()} <= {"lock", "settings.json"}:
                shutil.rmtree(work)

    def _check_settings(self, work: Path) -> None:
        """Write the settings of a new copy; raise Problem if one began with others."""
        path = work / "settings.json"
        if not path.exists():
            put_bytes(path, self.how.text())
        elif (first := Prepared.read(path.read_bytes(), path)) != self.how:
            names = [name for name, value in vars(first).items() if value != vars(self.how)[name]]
            raise Problem(
                f"{work} was begun with another {', '.join(names)}; "
                "give the same options, or remove it to start over"
            )

    def _write(self, copy: Copy, report: Report, say: Callable[[str], None]) -> set[str]:
        """Write the images that are not there yet; return the names of those left out."""
        targets, left_out = self.targets, set[str]()
        missing = [name for name in targets if name not in copy.names]
        if done := len(targets) - len(missing):
            say(f"continuing: {done:,} of {len(targets):,} images are there")
        files = [targets[name][0] for name in missing]
        resize = partial(resized, exif=self.source.exif)
        results = in_order(resize, files, self.how, workers=self.workers)
        for number, (name, result) in enumerate(zip(missing, results, strict=True), done + 1):
            if isinstance(result, bytes):
                copy.put(name, result)
            elif not self.skip:
                raise Problem(
                    f"{result}; check-data names all of them, "
                    "--broken skip leaves out those of training"
                )
            elif not name.startswith("train/"):
                raise Problem(f"{result}; validation images are never left out: fix or remove it")
            else:
                left_out.add(name)
                say(f"left out: {result}")
            report(f"resizing {len(targets):,} images", number, len(targets))
        return left_out

    def _verify(self, copy: Folder, left_out: set[str], work: Path, report: Report) -> None:
        """Raise Problem unless the copy has all images, in order, and each can be opened."""
        expected = [
            (name, label) for name, (_, label) in self.targets.items() if name not in left_out
        ]
        samples = [sample for split in copy.samples.values() for sample in split]
        if [(file.name, label) for file, label in samples] != expected:
            raise Problem(f"{work} does not hold the images it should; remove it to start over")
        files = [file for file, _ in samples]
        faults = in_order(fault_in_copy, files, self.how, workers=self.workers)
        for number, fault in enumerate(faults, 1):
            if fault is not None:
                raise Problem(f"{fault}; remove {work} to start over")
            report(f"trying {len(files):,} images of the copy", number, len(files))


def _jpeg_name(name: str) -> str:
    """Return an image's name in the copy."""
    return name if PurePosixPath(name).suffix.lower() in JPEG else f"{name}.jpg"


@contextmanager
def _held(work: Path) -> Iterator[None]:
    """Make the folder of an unfinished copy, and hold it; raise Problem if another process does."""
    if work.is_symlink():
        raise _link(work)
    work.mkdir(parents=True, exist_ok=True)
    for folder, folders, names in os.walk(work):
        for path in (Path(folder, name) for name in (*folders, *names)):
            if path.is_symlink():  # images would be written to where it points
                raise _link(path)
    try:
        with FileLock(work / "lock", timeout=0):
            yield
    except Timeout:
        raise Problem(f"{work} is being written by another process") from None


def _link(path: Path) -> Problem:
    return Problem(f"{escaped(str(path))} is a link, not part of an unfinished copy; remove it")
