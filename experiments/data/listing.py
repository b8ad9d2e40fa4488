"""List the images of a directory or a tar, under names `train/<class>/…` and `val/<class>/…`.

The validation folder may have another of the usual names. Without split folders, the class folders
can be listed as if all of them lay in `train/`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from experiments.data.files import File
from experiments.data.prepared import NOTE
from roadmap.errors import Problem, escaped

SPLITS = ("train", "val")
ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# What people call the folder of a split; the first group that exists is taken.
NAMES = {
    "train": (("train", "training"),),
    "val": (("val", "valid", "validation"), ("test",)),
}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Files by name, with the folder that each split was found in ("" without split folders).

    In a directory, `classes` are the class folders of each split, also empty ones. `loose` are the
    images of a split that lie in no class folder, and `ignored` counts its other files by ending.
    """

    files: tuple[File, ...]
    folders: Mapping[str, str]
    classes: Mapping[str, tuple[str, ...]]
    loose: Mapping[str, tuple[File, ...]]
    ignored: Mapping[str, Mapping[str, int]]


def is_image(name: str) -> bool:
    """Return whether a file's ending is that of an image."""
    return PurePosixPath(name).suffix.lower() in ENDINGS


def list_directory(root: Path, *, class_folders: bool) -> Listing:
    """List a directory. Raises Problem for links to nowhere and into themselves.

    Without split folders, it is read as class folders if `class_folders` allows that.
    """
    folders = split_folders(root, _is_split(root))
    bases = {split: root / folder for split, folder in folders.items()}
    if not bases and class_folders:
        bases = {"train": root}
    classes = {split: _inner_folders(base) for split, base in bases.items()}
    return sorted_out(list(_files(root, bases)), folders, classes)


def split_folders(root: Path, is_split: Callable[[str], bool]) -> dict[str, str]:
    """Return the folder of each split; raises Problem if a split has two."""
    found: dict[str, str] = {}
    for split, groups in NAMES.items():
        for names in groups:
            there = [name for name in names if is_split(name)]
            if len(there) > 1:
                named = " and ".join(f"{name}/" for name in there)
                raise Problem(f"data {escaped(str(root))} has {named}; keep one of them")
            if there and split not in found:
                found[split] = there[0]
    return found


def _is_split(root: Path) -> Callable[[str], bool]:
    """Return a check whether a folder is that of a split, not of a class with this name."""
    validation = NAMES["val"][0][0]
    paired = any((root / name).is_dir() for name in NAMES["val"][0])

    def check(name: str) -> bool:
        if not (root / name).is_dir():
            return False
        known = name in NAMES["val"][0] or (paired and name in NAMES["train"][0])
        return known or bool(_inner_folders(root / name)) or name == validation

    return check


def _inner_folders(folder: Path) -> tuple[str, ...]:
    inner = (path.name for path in folder.iterdir() if path.is_dir())
    return tuple(sorted(name for name in inner if not name.startswith(".")))


def _files(root: Path, bases: Mapping[str, Path]) -> Iterator[File]:
    """Yield the files of the splits of a directory, through links to folders; and the note."""
    if (root / NOTE).is_file():
        yield File(NOTE, root / NOTE, (root / NOTE).stat().st_size)
    for split, base in bases.items():
        # For each folder still to be listed: its real path and those of the folders above it.
        above = {str(base): [base.resolve()]}
        for folder, inner, names in os.walk(base, followlinks=True):
            real_paths = above.pop(folder)
            inner[:] = [name for name in inner if not name.startswith(".")]
            for path in (Path(folder, name) for name in inner):
                real = path.resolve()
                if any(other.is_relative_to(real) for other in real_paths):
                    raise Problem(
                        f"data {escaped(str(path))} is a link to a folder that contains it; "
                        "remove the link"
                    )
                above[str(path)] = [*real_paths, real]
            inside = (split, *Path(folder).relative_to(base).parts)
            for name in names:
                path, parts = Path(folder, name), (*inside, name)
                if path.is_symlink() and not path.exists() and is_image(name):
                    raise Problem(f"data {escaped(str(path))} is a link to nothing")
                if is_hidden(parts) or parts == (split, NOTE):
                    continue
                if path.is_file():
                    yield File("/".join(parts), path, path.stat().st_size)
                elif len(parts) > 2 and path.exists() and is_image(name):
                    raise Problem(f"data {escaped(str(path))} is no regular file")


def sorted_out(
    files: Iterable[File],
    folders: Mapping[str, str],
    classes: Mapping[str, tuple[str, ...]] | None = None,
) -> Listing:
    """Separate images in class folders from loose images and other files."""
    kept: list[File] = []
    loose: dict[str, list[File]] = {}
    ignored: dict[str, dict[str, int]] = {}
    seen: dict[str, set[str]] = {}
    for file in files:
        split, *inner = file.name.split("/")
        if len(inner) > 1:
            seen.setdefault(split, set()).add(inner[0])
        if file.name == NOTE or (len(inner) > 1 and is_image(file.name)):
            kept.append(file)
        elif is_image(file.name):
            loose.setdefault(split, []).append(file)
        else:
            counts = ignored.setdefault(split, {})
            ending = PurePosixPath(file.name).suffix.lower() or "without an ending"
            counts[ending] = counts.get(ending, 0) + 1
    found = {split: tuple(sorted(names)) for split, names in seen.items()}
    return Listing(
        files=tuple(kept),
        folders=folders,
        classes=found if classes is None else classes,
        loose={split: tuple(those) for split, those in loose.items()},
        ignored=ignored,
    )


def is_hidden(parts: Iterable[str]) -> bool:
    """Return whether a file or a folder around it is hidden."""
    return any(part.startswith(".") for part in parts)
