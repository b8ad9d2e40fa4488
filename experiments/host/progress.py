"""The display of one call: a progress bar per run with the time left, or plain lines in a log."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from experiments.host.events import (
    EpochDone,
    Event,
    Message,
    Preparing,
    RunDone,
    RunFailed,
    Started,
    StepDone,
)
from roadmap.errors import escaped
from roadmap.tasks import main_number


class Terminal(Console):
    """Standard error. Once it cannot be written, nothing more is shown; the runs continue."""

    def _check_buffer(self) -> None:
        try:
            super()._check_buffer()
        except OSError:  # such as a full disk below a log
            self.quiet = True

    def on_broken_pipe(self) -> None:
        """Show nothing more; rich would exit."""
        self.quiet = True


class Display:
    """An observer of all runs of a call: bars in a terminal, elsewhere a line per epoch.

    Everything goes to standard error.
    """

    def __init__(self, runs: int = 1) -> None:
        self.console = Terminal(stderr=True, highlight=False)
        self.console.soft_wrap = not self.console.is_terminal  # a log's lines stay whole
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=14),
            TextColumn("{task.fields[state]}", markup=False),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {}
        self.shares: dict[str, float] = {}  # of each run, how much is done: 0 to 1
        self.all_runs = self.bars.add_task("all runs", total=runs, state="") if runs > 1 else None

    def __enter__(self) -> Display:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, RunDone | RunFailed):
            self._end(event)
            return
        if isinstance(event, Preparing):
            self._show(event.run, event.done, event.total, event.what.partition(",")[0])
        elif isinstance(event, Message):
            self._show(event.run, None, None, event.state)
        elif isinstance(event, Started | StepDone):
            self._show(event.run, event.step, event.steps, _state(event))
            self._count(event.run, event.step / event.steps)
        if event.line and not self.console.is_terminal:
            self._print(event.run, event.line)

    def _show(self, run: str, done: int | None, total: int | None, state: str) -> None:
        if run not in self.tasks:
            self.tasks[run] = self.bars.add_task(escaped(run), total=total or 1, state="")
        self.bars.update(self.tasks[run], completed=done, total=total)
        if state:
            self.bars.update(self.tasks[run], state=escaped(state))

    def _end(self, event: Event) -> None:
        """Remove the run's bar and print its last line."""
        if event.run in self.tasks:
            self.bars.remove_task(self.tasks.pop(event.run))
        self._count(event.run, 1.0)
        self._print(event.run, event.line)

    def _print(self, run: str, line: str) -> None:
        self.console.print(escaped(f"{run}: {line}"), markup=False)

    def _count(self, run: str, share: float) -> None:
        self.shares[run] = share
        if self.all_runs is not None:
            self.bars.update(self.all_runs, completed=sum(self.shares.values()))


def _state(event: Event) -> str:
    if not isinstance(event, EpochDone):
        return ""
    number = main_number(event.metrics, decimals=1)
    return f"epoch {event.epoch}/{event.epochs} {number}".rstrip()
