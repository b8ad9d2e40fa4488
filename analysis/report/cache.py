"""Figures that an earlier report drew: a figure is drawn again only if it would differ.

A figure is known by its key: the fingerprint of the records and specs that it shows, its texts, and
the code that draws it. All are in one hidden file in the report's folder, which can be removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from roadmap.files import put_text
from roadmap.spec import fingerprint

NAME = ".figures.json"


@dataclass
class Figures:
    """The drawn figures by key: those of an earlier report, and those that this one uses."""

    known: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Figures:
        """Return the figures of an earlier report in this folder; none if they cannot be read."""
        try:
            known = json.loads((folder / NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        texts = isinstance(known, dict) and all(isinstance(text, str) for text in known.values())
        return cls(known=known if texts else {})

    def get(self, key: object, draw: Callable[[], Markup]) -> Markup:
        """Return the figure of this key, plain data; `draw` makes it if it is not known."""
        name = fingerprint([key, code()])
        if name not in self.used:
            self.used[name] = self.known.get(name) or str(draw())
        return Markup(self.used[name])

    def write(self, folder: Path) -> None:
        """Write the figures that were used, for the next report."""
        put_text(folder / NAME, json.dumps(self.used))


@cache
def code() -> str:
    """Return a fingerprint of what draws figures: our modules and matplotlib's version."""
    found = hashlib.sha256(version("matplotlib").encode())
    for package in ("analysis", "analysis.figures", "analysis.figures.sheet", "analysis.report"):
        for path in sorted(Path(str(files(package))).glob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:12]
