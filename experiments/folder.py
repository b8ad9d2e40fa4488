"""A user's own images, `DIR/train/<class>/<image>` and `DIR/val/…`, listed and checked.

No torch here, so that a folder that does not fit is named at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from roadmap.errors import Problem
from roadmap.spec import fingerprint

SPLITS = ("train", "val")
ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

UNCOMPRESSED = (".ppm", ".pgm", ".bmp", ".tif", ".tiff")

Samples = tuple[tuple[Path, int], ...]


@dataclass(frozen=True, kw_only=True)
class Folder:
    """An image folder's classes and, per split, its (path, class index) pairs in name order."""

    root: Path
    classes: tuple[str, ...]
    samples: dict[str, Samples]

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over every image's name and size, or uncompressed ones' bytes."""
        return fingerprint(
            {
                split: [[str(path.relative_to(self.root)), _content(path)] for path, _ in pairs]
                for split, pairs in self.samples.items()
            }
        )


def read_folder(root: Path) -> Folder:
    """List an image folder; raises Problem naming what is missing or differs between the splits."""
    if not root.is_dir():
        raise Problem(f"data directory {root} does not exist; valid: 'fractals' or a directory")
    for split in SPLITS:
        if not (root / split).is_dir():
            raise Problem(
                f"data directory {root} has no {split}/; it needs train/<class>/ and val/<class>/"
            )
    classes = {split: _classes(root / split) for split in SPLITS}
    for one, other in (SPLITS, SPLITS[::-1]):
        extra = sorted(set(classes[one]) - set(classes[other]))
        if extra:
            raise Problem(
                f"class folder {root / one / extra[0]} has no counterpart in {root / other}; "
                f"{other} has: {_shortened(classes[other])}"
            )
    if len(classes["train"]) < 2:
        raise Problem(f"data directory {root / 'train'} needs at least two class folders")
    names = tuple(classes["train"])
    samples = {split: _samples(root / split, names) for split in SPLITS}
    return Folder(root=root, classes=names, samples=samples)


def _content(path: Path) -> int | str:
    """What tells an image from another of its name: its size, or where that is fixed its bytes."""
    if path.suffix.lower() in UNCOMPRESSED:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return path.stat().st_size


def _classes(split: Path) -> list[str]:
    found = (each for each in split.iterdir() if each.is_dir() and not each.name.startswith("."))
    return sorted(each.name for each in found)


def _samples(split: Path, classes: tuple[str, ...]) -> Samples:
    found: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        files = (path for path in (split / name).rglob("*") if path.is_file())
        paths = sorted(path for path in files if path.suffix.lower() in ENDINGS)
        if not paths:
            raise Problem(f"class folder {split / name} has no images ({', '.join(ENDINGS)})")
        found += [(path, label) for path in paths]
    return tuple(found)


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f", … ({len(names)})" if len(names) > 10 else "") or "none"
