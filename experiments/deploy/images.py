"""Find the images that a user names: files, or folders with all images below. No torch here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from experiments.data.files import File
from experiments.data.folder import ENDINGS
from roadmap.errors import Problem, escaped


def find_images(paths: Iterable[Path]) -> list[File]:
    """Return the images of files and folders, those of a folder in the order of their names.

    Hidden files are left out. Raises Problem for a path that is absent, and for a folder without
    images.
    """
    files: list[File] = []
    for path in paths:
        where = escaped(str(path))
        if path.is_dir():
            found = sorted(_below(path))
            if not found:
                raise Problem(f"folder {where} has no images ({', '.join(ENDINGS)})")
            files += [_file(each) for each in found]
        elif path.is_file():
            files.append(_file(path))
        else:
            raise Problem(f"image {where} does not exist; give image files or folders")
    return files


def _below(folder: Path) -> Iterable[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root, name)
            if not name.startswith(".") and path.suffix.lower() in ENDINGS and path.is_file():
                yield path


def _file(path: Path) -> File:
    return File(str(path), path, path.stat().st_size)
