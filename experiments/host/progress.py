"""What a person sees while runs train: a bar each with the time left, or plain lines in a log.

Runs, in this process or another, tell of themselves in events; one display shows them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


@dataclass(frozen=True, kw_only=True)
class Event:
    """A run did `done` of `total` steps; `state` is shown beside its bar, `line` stays in a log.

    While it is `preparing`, the steps are not yet those of training.
    """

    run: str
    done: int
    total: int
    state: str = ""
    line: str = ""
    preparing: bool = False


Tell = Callable[[Event], None]


def said(run: str, line: str, state: str = "") -> Event:
    """What a run says before it trains."""
    return Event(run=run, done=0, total=1, state=state, line=line, preparing=True)


class Display:
    """All runs of a call on standard error: bars in a terminal, elsewhere a line per epoch."""

    def __init__(self, runs: int = 1) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.console.soft_wrap = not self.console.is_terminal  # a log's lines stay whole
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=14),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {}
        self.parts: dict[str, float] = {}  # of each run, how much is done: 0 to 1
        self.path = self.bars.add_task("all runs", total=runs, state="") if runs > 1 else None

    def __enter__(self) -> Display:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def tell(self, event: Event) -> None:
        """Show an event."""
        if event.run not in self.tasks:
            self.tasks[event.run] = self.bars.add_task(event.run, total=event.total, state="")
        fields = {"state": event.state} if event.state else {}
        task = self.tasks[event.run]
        self.bars.update(task, completed=event.done, total=event.total, **fields)
        if not event.preparing:
            self._part(event.run, event.done / event.total)
        if event.line and not self.console.is_terminal:
            self.console.print(f"{event.run}: {event.line}", markup=False)

    def over(self, run: str, line: str) -> None:
        """A run is over: its bar goes, its line stays."""
        if run in self.tasks:
            self.bars.remove_task(self.tasks.pop(run))
        self._part(run, 1.0)
        self.console.print(f"{run}: {line}", markup=False)

    def _part(self, run: str, part: float) -> None:
        self.parts[run] = part
        if self.path is not None:
            self.bars.update(self.path, completed=sum(self.parts.values()))
