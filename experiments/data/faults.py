"""Faults of annotations: each names file, image and annotation; none is silently left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from roadmap.errors import LONGEST, Problem, escaped, shortened

MOST_TEXTS = 200  # of one kind; more are only counted


def brief(name: str) -> str:
    """Return a name from a data set for a message: printable, at most 200 characters."""
    return shortened(escaped(name[:201]), 200)


@dataclass
class Faults:
    """Faults in the order in which they were found: texts, and their number by kind."""

    texts: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, text: str) -> None:
        """Note a fault, as one line. `kind` is a few words that a number can stand before."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= MOST_TEXTS:
            self.texts.append(shortened(escaped(text[: LONGEST + 1]), LONGEST))

    def extend(self, other: Faults) -> None:
        """Note the faults of another file."""
        self.texts += other.texts
        self.kinds += other.kinds

    @property
    def counts(self) -> str:
        """The number of faults by kind, in words."""
        return ", ".join(f"{count:,} × {kind}" for kind, count in self.kinds.items())

    def check(self) -> None:
        """Raise Problem with the first fault and the number of all, if there are any."""
        if not self.texts:
            return
        total = self.kinds.total()
        more = f"; {total:,} faults in all: {self.counts}" if total > 1 else ""
        hint = "; check-data lists them" if total > 1 else ""
        raise Problem(f"{self.texts[0]}{more}{hint}")
