"""A user's own images, `train/<class>/<image>` and `val/…`, in a directory or a tar of one.

They are listed and checked here without torch, so that what does not fit is named at once.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from roadmap.errors import Problem
from roadmap.spec import fingerprint

SPLITS = ("train", "val")
ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
UNCOMPRESSED = (".ppm", ".pgm", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class File:
    """An image: `size` bytes from `offset` of the file at `path`; `name` is train/<class>/…"""

    name: str
    path: Path
    size: int
    offset: int = 0

    def open(self) -> BinaryIO:
        """The image's bytes as a file."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return io.BytesIO(file.read(self.size))

    def __str__(self) -> str:
        return f"{self.path}: {self.name}" if self.path.suffix == ".tar" else str(self.path)


Samples = tuple[tuple[File, int], ...]


@dataclass(frozen=True, kw_only=True)
class Folder:
    """An image folder's classes and, per split, its (file, class index) pairs in name order."""

    root: Path
    classes: tuple[str, ...]
    samples: dict[str, Samples]

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over every image's name and size, or uncompressed ones' bytes.

        The same for a folder and for a tar of it.
        """
        return fingerprint(
            {
                split: [[file.name, _content(file)] for file, _ in pairs]
                for split, pairs in self.samples.items()
            }
        )


def read_folder(root: Path) -> Folder:
    """List a directory or a tar; raises Problem naming what is missing or differs in a split."""
    if root.is_dir():
        classes = {split: _directories(root, split) for split in SPLITS}
        files = (file for split in SPLITS for file in _files(root, split))
    else:
        files = list(_members(root))
        classes = {
            split: sorted({_class(each) for each in files if each.name.startswith(f"{split}/")})
            for split in SPLITS
        }
        for split in SPLITS:
            if not classes[split]:
                raise _no_split(root, split)
    _check(root, classes)
    grouped = defaultdict(list)
    for file in files:
        if PurePosixPath(file.name).suffix.lower() in ENDINGS:
            grouped[file.name.partition("/")[0], _class(file)].append(file)
    names = tuple(classes["train"])
    samples = {split: _samples(root, split, names, grouped) for split in SPLITS}
    return Folder(root=root, classes=names, samples=samples)


def _directories(root: Path, split: str) -> list[str]:
    if not (root / split).is_dir():
        raise _no_split(root, split)
    found = (root / split).iterdir()
    return sorted(each.name for each in found if each.is_dir() and not each.name.startswith("."))


def _files(root: Path, split: str) -> Iterable[File]:
    around = {str(root / split): [(root / split).resolve()]}  # of each folder: it and those above
    for folder, folders, names in os.walk(root / split, followlinks=True):
        above = around.pop(folder)
        folders[:] = [each for each in folders if not each.startswith(".")]
        for path in (Path(folder, each) for each in folders):
            real = path.resolve()
            if any(each.is_relative_to(real) for each in above):
                raise Problem(f"data {path} is a link to a folder that it lies in itself")
            around[str(path)] = [*above, real]
        inside = Path(folder).relative_to(root)
        for name in names:
            path = Path(folder, name)
            parts = (*inside.parts, name)
            if path.is_symlink() and not path.exists() and path.suffix.lower() in ENDINGS:
                raise Problem(f"data {path} is a link to nothing")
            if len(parts) > 2 and not _is_hidden(parts) and path.is_file():
                yield File("/".join(parts), path, path.stat().st_size)


def _members(archive: Path) -> Iterable[File]:
    """The files in a tar, which may hold train/ and val/ within one folder."""
    try:
        with tarfile.open(archive, "r:") as opened:
            members = {_inside(each.name): each for each in opened if not each.isdir()}
    except (tarfile.TarError, OSError) as error:
        text = f"{archive} is no plain tar ({error}); a compressed one must be unpacked first"
        raise Problem(f"data {text}") from None
    tops = set()
    for name in members:  # of two with one name the later is the file
        parts = name.split("/")
        top, parts = ("", parts) if parts[0] in SPLITS else (parts[0], parts[1:])
        if len(parts) > 2 and parts[0] in SPLITS and not _is_hidden(parts):
            tops.add(top)
            file = _target(archive, name, members)
            yield File("/".join(parts), archive, file.size, file.offset_data)
    if len(tops) > 1:
        named = ", ".join(f"{top or '.'}/" for top in sorted(tops))
        raise Problem(f"data {archive} holds train/ and val/ more than once: in {named}")


def _is_hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def _inside(name: str, *, start: str = "") -> str:
    return posixpath.normpath(posixpath.join(start, name)).removeprefix("/")


def _target(archive: Path, name: str, members: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo:
    """The file that a member is, through its links."""
    found, seen = members[name], {name}
    while found.islnk() or found.issym():
        start = posixpath.dirname(name) if found.issym() else ""
        name = _inside(found.linkname, start=start)
        if name not in members or name in seen:
            raise Problem(f"data {archive}: member {found.name} is a link to nothing in it")
        found = members[name]
        seen.add(name)
    return found


def _class(file: File) -> str:
    return file.name.split("/", 2)[1]


def _no_split(root: Path, split: str) -> Problem:
    return Problem(f"data {root} has no {split}/; it needs train/<class>/ and val/<class>/")


def _check(root: Path, classes: dict[str, list[str]]) -> None:
    for one, other in (SPLITS, SPLITS[::-1]):
        extra = sorted(set(classes[one]) - set(classes[other]))
        if extra:
            raise Problem(
                f"class folder {root / one / extra[0]} has no counterpart in {root / other}; "
                f"{other} has: {_shortened(classes[other])}"
            )
    if len(classes["train"]) < 2:
        raise Problem(f"data {root / 'train'} needs at least two class folders")


def _samples(
    root: Path,
    split: str,
    classes: tuple[str, ...],
    grouped: dict[tuple[str, str], list[File]],
) -> Samples:
    found: list[tuple[File, int]] = []
    for label, name in enumerate(classes):
        files = sorted(grouped[split, name], key=lambda file: PurePosixPath(file.name))
        if not files:
            where = root / split / name
            raise Problem(f"class folder {where} has no images ({', '.join(ENDINGS)})")
        found += [(file, label) for file in files]
    return tuple(found)


def _content(file: File) -> int | str:
    """What tells an image from another of its name: its size, or where that is fixed its bytes."""
    if PurePosixPath(file.name).suffix.lower() in UNCOMPRESSED:
        return hashlib.sha256(file.open().read()).hexdigest()
    return file.size


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f", … ({len(names)})" if len(names) > 10 else "") or "none"
