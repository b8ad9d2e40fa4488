"""`metrics.jsonl`: one JSON line for each epoch, written as it ends."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.host.events import EpochDone, Event, Started
from roadmap.files import put_text


class History:
    """An observer that writes each epoch's metrics into a file.

    The file is replaced as a whole, so it never holds part of a line. Epochs that a resumed run
    trains again are dropped when it starts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def __call__(self, event: Event) -> None:
        """Write the epochs so far."""
        if isinstance(event, Started):
            self.rows = [dict(row) for row in event.history]
        elif isinstance(event, EpochDone):
            self.rows.append(dict(event.metrics))
        else:
            return
        put_text(self.path, "".join(json.dumps(row) + "\n" for row in self.rows))
