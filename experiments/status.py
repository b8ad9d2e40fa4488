"""The state of a run, read from its folder while others train: nothing is changed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from experiments.cluster.ended import output_of, why_no_record
from experiments.cluster.slurm import Task
from experiments.cluster.submission import Submission
from experiments.host.lock import is_held, who_holds
from experiments.request import Request
from roadmap.errors import Problem

State = Literal["finished", "running", "queued", "interrupted", "failed", "waiting"]
STATES: tuple[State, ...] = ("finished", "running", "queued", "interrupted", "failed", "waiting")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* (.*)")
SILENT = "ended without a message, as if it was killed"
MOST_TAIL = 200_000  # bytes read of the end of a log


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A run's state; `note` says who trains it, or why it does not train.

    `epoch` of `epochs` are done. `left` is the time it still needs, in seconds; None if unknown.
    """

    request: Request
    state: State
    epoch: int
    epochs: int
    left: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a cluster, by run: its task in the queue; its last submission and place."""

    in_queue: Mapping[str, Task]
    submitted: Mapping[str, tuple[Submission, int]]


NOTHING = Known(in_queue={}, submitted={})


def status_of(
    request: Request, *, length: float | None = None, known: Known = NOTHING
) -> RunStatus:
    """Return the state of a run; `length` is the forecast of its seconds, if there is one."""
    folder, epochs = request.folder, request.spec.recipe.epochs
    try:
        record = request.finished()
    except Problem as fault:
        return RunStatus(request=request, state="failed", epoch=0, epochs=epochs, note=str(fault))
    seconds = _epochs_done(folder)
    epoch = min(len(seconds), epochs)
    if record is not None:
        note = "diverged" if record.status == "diverged" else ""
        return RunStatus(
            request=request, state="finished", epoch=epoch, epochs=epochs, left=0.0, note=note
        )
    state, note = _state(request, known)
    if state not in ("running", "queued") and (folder / "record.json").exists():
        return status_of(request, length=length, known=known)  # it ended while we looked
    return RunStatus(
        request=request,
        state=state,
        epoch=epoch,
        epochs=epochs,
        left=_left(folder, seconds, epochs, length, state == "running"),
        note=note,
    )


def _state(request: Request, known: Known) -> tuple[State, str]:
    folder, run = request.folder, request.identity.run
    task = known.in_queue.get(run)
    where = f"job {task.number}" if task else ""
    if is_held(folder):
        holder = f"on {task.nodes}" if task else who_holds(folder)
        return "running", f"{where} {holder}".strip()
    if task is not None:
        if task.state == "PENDING":
            return "queued", f"{where}: {task.reason}"
        return "running", f"{where} on {task.nodes}, {task.state.lower()}"
    reason = _last_error(folder / "log.txt")
    stopped = re.search(r"stopped by (SIG\w+|a signal)$", reason)
    if reason and not stopped:
        return "failed", f"{reason} ({folder / 'log.txt'})"
    begun = (folder / "log.txt").exists()
    if run in known.submitted:
        submission, index = known.submitted[run]
        ended = why_no_record(submission, index, request.settings.runs)
        if begun:
            return "interrupted", f"{reason or SILENT}; {ended}"
        started = output_of(submission, index, request.settings.runs).exists()
        return ("failed" if started else "waiting"), ended
    if not begun:
        return "waiting", ""
    return "interrupted", reason or SILENT


def _epochs_done(folder: Path) -> list[float]:
    """Return the seconds of each epoch that is done."""
    seconds: list[float] = []
    for line in _tail(folder / "metrics.jsonl").splitlines():
        with suppress(ValueError, TypeError, KeyError):
            seconds.append(float(json.loads(line)["seconds"]))
    return seconds


def _left(
    folder: Path, seconds: Sequence[float], epochs: int, length: float | None, running: bool
) -> float | None:
    """Estimate the seconds a run still needs: from its own epochs, else from the forecast."""
    if not seconds:
        return length
    left = max(0, epochs - len(seconds)) * median(seconds)
    with suppress(OSError):
        if running:
            left -= min(median(seconds), time.time() - (folder / "metrics.jsonl").stat().st_mtime)
    return max(0.0, left)


def _last_error(log: Path) -> str:
    """Return the reason by which a run's last attempt ended; empty if no error ended it.

    Lines of a traceback are indented and follow the reason.
    """
    lines = _tail(log).splitlines()
    if not lines or not lines[-1].startswith("    "):
        return ""
    for line in reversed(lines):
        if found := STAMP.fullmatch(line):
            return found[1].removeprefix("Stopped: ")
    return ""


def _tail(path: Path) -> str:
    """Return the end of a text file; empty if it cannot be read."""
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(0, size - MOST_TAIL))
            text = file.read(MOST_TAIL).decode(errors="replace")
    except OSError:
        return ""
    return text if size <= MOST_TAIL else text.partition("\n")[2]
