"""A user's own images, `train/<class>/<image>` and `val/…`, in a directory or a tar of one.

They are listed and checked here without torch, so that an error in them is reported at once.
"""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from experiments.data.archive import read_members
from experiments.data.files import File, Files, Samples
from experiments.data.prepared import MOST_NOTE_BYTES, NOTE, Prepared
from roadmap.errors import Problem, escaped

SPLITS = ("train", "val")
ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, kw_only=True)
class Folder(Files):
    """An image folder or a tar of one; `samples` are in the order of their names."""

    choice = "a directory or a .tar with train/ and val/"

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return whether it is a path to a directory or a file."""
        path = Path(name)
        return path.is_dir() or path.is_file()

    @classmethod
    def read(cls, name: str, root: Path | None) -> Folder:
        """List the images; raises Problem naming what is missing or differs between the splits."""
        path = Path(name)
        files = list(_files(path) if path.is_dir() else _members(path))
        classes = {split: _classes(path, split, files) for split in SPLITS}
        _check(path, classes)
        grouped = defaultdict(list)
        for file in files:
            if PurePosixPath(file.name).suffix.lower() in ENDINGS:
                grouped[file.name.partition("/")[0], _class(file)].append(file)
        names = tuple(classes["train"])
        samples = {split: _samples(path, split, names, grouped) for split in SPLITS}
        shown = path.resolve().name.removesuffix(".tar")
        note = next((file for file in files if file.name == NOTE), None)
        prepared = _read_note(note) if note else None
        return cls(name=shown, class_names=names, samples=samples, prepared=prepared)


def _read_note(note: File) -> Prepared:
    try:
        content = note.open(limit=MOST_NOTE_BYTES).read()
    except ValueError as fault:
        raise Problem(f"{note} cannot be read: {fault}") from None
    return Prepared.read(content, note)


def _classes(root: Path, split: str, files: Iterable[File]) -> list[str]:
    """Return the class folders of a split; in a directory an empty one counts."""
    if root.is_dir():
        folders = (path for path in (root / split).iterdir() if path.is_dir())
        return sorted(path.name for path in folders if not path.name.startswith("."))
    classes = {_class(file) for file in files if file.name.startswith(f"{split}/")}
    if not classes:
        raise _no_split(root, split)
    return sorted(classes)


def _files(root: Path) -> Iterator[File]:
    """Yield the files of both splits of a directory, through links to folders; and the note."""
    if (root / NOTE).is_file():
        yield File(NOTE, root / NOTE, (root / NOTE).stat().st_size)
    for split in SPLITS:
        if not (root / split).is_dir():
            raise _no_split(root, split)
        # For each folder still to be listed: its real path and those of the folders above it.
        above = {str(root / split): [(root / split).resolve()]}
        for folder, folders, names in os.walk(root / split, followlinks=True):
            real_paths = above.pop(folder)
            folders[:] = [name for name in folders if not name.startswith(".")]
            for path in (Path(folder, name) for name in folders):
                real = path.resolve()
                if any(other.is_relative_to(real) for other in real_paths):
                    raise Problem(
                        f"data {escaped(str(path))} is a link to a folder that it lies in itself"
                    )
                above[str(path)] = [*real_paths, real]
            inside = Path(folder).relative_to(root).parts
            for name in names:
                path, parts = Path(folder, name), (*inside, name)
                if path.is_symlink() and not path.exists() and path.suffix.lower() in ENDINGS:
                    raise Problem(f"data {escaped(str(path))} is a link to nothing")
                if len(parts) > 2 and not _is_hidden(parts) and not path.is_file():
                    if path.exists() and path.suffix.lower() in ENDINGS:
                        raise Problem(f"data {escaped(str(path))} is no regular file")
                elif len(parts) > 2 and not _is_hidden(parts):
                    yield File("/".join(parts), path, path.stat().st_size)


def _members(archive: Path) -> Iterator[File]:
    """Yield the files in a tar, which may hold train/ and val/ within one folder; and the note."""
    # Of two members with one name the later counts, as if the tar were unpacked.
    members = {_inside(member.name): member for member in read_members(archive, "data")}
    tops = set()
    for name in members:
        parts = name.split("/")
        if parts[-1] == NOTE and len(parts) <= 2:
            yield File(NOTE, archive, members[name].size, members[name].offset_data)
            continue
        top, parts = ("", parts) if parts[0] in SPLITS else (parts[0], parts[1:])
        if len(parts) > 2 and parts[0] in SPLITS and not _is_hidden(parts):
            tops.add(top)
            file = _target(archive, name, members)
            yield File("/".join(parts), archive, file.size, file.offset_data)
    if len(tops) > 1:
        named = escaped(", ".join(f"{top or '.'}/" for top in sorted(tops)))
        raise Problem(
            f"data {escaped(str(archive))} holds train/ and val/ more than once: in {named}"
        )


def _is_hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def _inside(name: str, *, start: str = "") -> str:
    return posixpath.normpath(posixpath.join(start, name)).removeprefix("/")


def _target(archive: Path, name: str, members: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo:
    """Return the file that a member is, through its links."""
    member, seen = members[name], {name}
    while member.islnk() or member.issym():
        start = posixpath.dirname(name) if member.issym() else ""
        name = _inside(member.linkname, start=start)
        if name not in members or name in seen:
            link = escaped(member.name)
            raise Problem(f"data {escaped(str(archive))}: member {link} is a link to nothing in it")
        member = members[name]
        seen.add(name)
    return member


def _class(file: File) -> str:
    return file.name.split("/", 2)[1]


def _no_split(root: Path, split: str) -> Problem:
    where = escaped(str(root))
    return Problem(f"data {where} has no {split}/; it needs train/<class>/ and val/<class>/")


def _check(root: Path, classes: dict[str, list[str]]) -> None:
    for one, other in (SPLITS, SPLITS[::-1]):
        extra = sorted(set(classes[one]) - set(classes[other]))
        if extra:
            raise Problem(
                f"class folder {escaped(str(root / one / extra[0]))} has no counterpart in "
                f"{escaped(str(root / other))}; {other} has: {_shortened(classes[other])}; "
                "both need the same class folders"
            )
    if len(classes["train"]) < 2:
        raise Problem(f"data {escaped(str(root / 'train'))} needs at least two class folders")


def _samples(
    root: Path,
    split: str,
    classes: tuple[str, ...],
    grouped: dict[tuple[str, str], list[File]],
) -> Samples:
    samples: list[tuple[File, int]] = []
    for label, name in enumerate(classes):
        files = sorted(grouped[split, name], key=lambda file: PurePosixPath(file.name))
        if not files:
            where = escaped(str(root / split / name))
            raise Problem(f"class folder {where} has no images ({', '.join(ENDINGS)})")
        samples += [(file, label) for file in files]
    return tuple(samples)


def _shortened(names: list[str]) -> str:
    more = f", … ({len(names)})" if len(names) > 10 else ""
    return ", ".join(map(escaped, names[:10])) + more or "none"
