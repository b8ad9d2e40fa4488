"""Figures that an earlier command drew: a figure is drawn again only if it would differ.

A figure is known by its key: the fingerprint of the records and specs that it shows, its texts, and
the code that draws it. A hidden file in the folder of the output holds what is known. It can be
removed at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from analysis.figures.sheet.style import Drawing
from analysis.subject import Subject
from roadmap.files import check_ends, put_text, read_text
from roadmap.spec import fingerprint

IMAGES, FILES = ".figures.json", ".drawn.json"  # of a report, and of a folder of figures
MOST_BYTES = 500_000_000  # of the images of a page
PACKAGES = ("analysis", "analysis.figures", "analysis.figures.sheet", "analysis.report")


def key_of(drawing: Drawing, subject: Subject) -> list[object]:
    """Return what a figure depends on, as plain data."""
    rows = [[row.number, row.title, row.group] for row in subject.roadmap]
    study = [subject.study.name, subject.study.margin, subject.given_images]
    texts = [drawing.name, drawing.source, drawing.caption, subject.measure.key]
    return [texts, study, rows, code()]


@cache
def code() -> str:
    """Return a fingerprint of what draws figures: our modules and matplotlib's version."""
    found = hashlib.sha256(version("matplotlib").encode())
    for package in PACKAGES:
        for path in sorted(Path(str(files(package))).glob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


@dataclass
class Images:
    """Images of a page by key: those of an earlier page, and those that this one uses."""

    known: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Images:
        """Return the images of an earlier page in this folder."""
        return cls(known=_read(folder / IMAGES))

    def get(self, key: object, draw: Callable[[], Markup]) -> Markup:
        """Return the image of this key, plain data; `draw` makes it if it is not known."""
        name = fingerprint([key, code()])
        if name not in self.used:
            self.used[name] = self.known.get(name) or str(draw())
        return Markup(self.used[name])

    def write(self, folder: Path) -> None:
        """Write the images that were used, for the next page."""
        put_text(folder / IMAGES, json.dumps(self.used))


@dataclass
class Files:
    """Files of figures in a folder, and the key and content that each had when it was written."""

    folder: Path
    known: dict[str, str]

    @classmethod
    def of(cls, folder: Path) -> Files:
        """Return what is known of a folder."""
        return cls(folder, _read(folder / FILES))

    def has(self, paths: Sequence[Path], key: object) -> bool:
        """Return whether all files are there as they were written for this key."""
        return all(self.known.get(path.name) == _state(path, key) for path in paths)

    def add(self, paths: Sequence[Path], key: object) -> None:
        """Note files that were written for this key."""
        self.known |= {path.name: _state(path, key) for path in paths}
        put_text(self.folder / FILES, json.dumps(self.known, indent=1))


def _state(path: Path, key: object) -> str:
    try:
        check_ends(path)
        content = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except (OSError, ValueError):
        content = "absent"
    return f"{fingerprint(key)} {content}"


def _read(path: Path) -> dict[str, str]:
    """Return texts by name from a file; none if it cannot be read."""
    try:
        known = json.loads(read_text(path, limit=MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    texts = isinstance(known, dict) and all(isinstance(text, str) for text in known.values())
    return known if texts else {}
