"""The states of runs as a table of 80 columns, and as objects."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from experiments.forecast import makespan
from experiments.status import STATES, RunStatus
from roadmap.errors import shortened, visible

WIDTH = 80
SHOWN = ("running", "interrupted", "failed")  # the others are only counted, unless all are listed


def as_dict(run: RunStatus) -> dict[str, Any]:
    """Return a run's state as plain data."""
    return {
        "row": run.request.row,
        "seed": run.request.seed,
        "name": run.request.name,
        "run": run.request.identity.run,
        "state": run.state,
        "epoch": run.epoch,
        "epochs": run.epochs,
        "seconds_left": None if run.left is None else round(run.left, 1),
        "note": run.note,
    }


def in_words(runs: Sequence[RunStatus], *, jobs: int, everything: bool) -> str:
    """Return a table of runs in at most 80 columns, with the counts and the time left."""
    shown = [run for run in runs if everything or run.state in SHOWN or _is_odd(run)]
    counts = Counter(run.state for run in runs)
    parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    lines = textwrap.wrap(f"{len(runs)} runs: {', '.join(parts)}", WIDTH)
    lines.append(_time(runs, jobs))
    if shown:
        names = [shortened(visible(run.request.name), 32) for run in shown]
        width = max(len(name) for name in ("run", *names))
        lines += ["", f"{'run':{width}}  {'state':11}  {'epoch':>9}  {'left':>9}"]
        for name, run in zip(names, shown, strict=True):
            epoch = f"{run.epoch}/{run.epochs}"
            left = duration(run.left) if run.left is not None else "?"
            lines.append(f"{name:{width}}  {run.state:11}  {epoch:>9}  {left:>9}".rstrip())
            if run.note:
                lines += textwrap.wrap(
                    visible(run.note), WIDTH, initial_indent="    ", subsequent_indent="    "
                )
    return "\n".join(lines)


def _is_odd(run: RunStatus) -> bool:
    """Return whether a run waits for a person, not for its turn."""
    if run.state == "waiting":
        return bool(run.note)
    return run.state == "queued" and any(
        word in run.note.lower()
        for word in ("held", "never", "invalid", "failed", "limit exceeded")
    )


def _time(runs: Sequence[RunStatus], jobs: int) -> str:
    left = [run for run in runs if run.state != "finished"]
    if not left:
        return "time left: none, all runs are finished"
    known = [run.left for run in left if run.left is not None]
    if len(known) < len(left):
        return "time left: unknown until a run is finished"
    parallel = f"{jobs} parallel run" + "s" * (jobs != 1)
    return f"time left: about {duration(makespan(known, jobs))} with {parallel}"


def duration(seconds: float) -> str:
    """Return a time in at most 8 characters: `45 s`, `12 min`, `3.5 h`, `12 days`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 100 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} days"
