"""A job: all that a process needs to train one run. It is plain data, without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from experiments.host.machine import Machine
from experiments.request import Request
from experiments.settings import Plain
from roadmap.record import Asked


@dataclass(frozen=True, kw_only=True, eq=False)
class Job(Plain):
    """Train `request` on `machine`; `command` and `asked` go into the record.

    `trackers` are names in TRACKERS: what else the run's numbers go to.
    Every launcher takes jobs, so a launcher on another machine needs nothing else.
    """

    request: Request
    machine: Machine
    command: str = ""
    asked: Asked = field(default_factory=Asked)
    trackers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The run in a line: `05 width seed 0`."""
        return self.request.name

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.request.folder
