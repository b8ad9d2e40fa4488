"""Runs without a record yet: who they are, and the epochs that they have so far."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from roadmap.errors import Problem
from roadmap.files import put_text, read_text
from roadmap.record import MOST_BYTES, Identity, Label
from roadmap.spec import from_json, to_dict
from roadmap.values import value

BEGUN, HISTORY = "begun.jsonl", "metrics.jsonl"


@value(strict=False)
class Begun:
    """What a run's folder says of the run from its start on; `data` is the data set's name."""

    identity: Identity
    label: Label
    data: str
    classes: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A run without a record, with an entry for each epoch that is done."""

    begun: Begun
    history: tuple[dict[str, float], ...]

    @property
    def progress(self) -> str:
        """The epochs that are done, of all: `3/5`."""
        return f"{len(self.history)}/{self.begun.epochs}"


def write_begun(begun: Begun, folder: Path) -> None:
    """Write who a run is into its folder; its name is not that of a record."""
    put_text(folder / BEGUN, json.dumps(to_dict(begun)) + "\n")


def read_unfinished(runs: Path, finished: Iterable[str] = ()) -> tuple[Unfinished, ...]:
    """Return the runs in a folder that have no record, and have begun; `finished` are known.

    Folders that cannot be read, or were moved aside, are left out.
    """
    known = set(finished)
    found = []
    for path in sorted(runs.glob(f"*/{BEGUN}")):
        folder = path.parent
        if folder.name in known or (folder / "record.json").exists():
            continue
        with suppress(OSError, ValueError, TypeError, RecursionError, Problem):
            begun = from_json(Begun, read_text(path, limit=100_000))
            if begun.identity.run == folder.name:
                found.append(Unfinished(begun=begun, history=_history(folder / HISTORY)))
    return tuple(found)


def _history(path: Path) -> tuple[dict[str, float], ...]:
    if not path.exists():
        return ()
    lines = read_text(path, limit=MOST_BYTES).splitlines()
    read = [json.loads(line) for line in lines]
    if not all(isinstance(epoch, dict) for epoch in read):
        raise ValueError("an epoch is no object")
    return tuple({str(key): float(number) for key, number in epoch.items()} for epoch in read)
