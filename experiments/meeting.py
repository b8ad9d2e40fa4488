"""Line up short runs that are timed side by side, by files in a folder that they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Stage = Literal["warm", "timed"]


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """The place of run `number` among `runs` that are timed at the same time.

    No run waits: each trains on until all are `warm`, and again until all are `timed`. So all of
    them use the device for as long as one of them is timed.
    """

    folder: Path
    runs: int
    number: int

    def all_are(self, stage: Stage) -> bool:
        """Note that this run has reached a stage; return whether all runs have."""
        self._file(stage, self.number).touch()
        return all(self._file(stage, number).exists() for number in range(self.runs))

    def leave(self) -> None:
        """Keep no run waiting for this one, which has ended."""
        self.all_are("warm")
        self.all_are("timed")

    def _file(self, stage: Stage, number: int) -> Path:
        return self.folder / f"{stage}-{number}"
