"""What a run gets of a SLURM cluster, in words that sbatch takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from roadmap.errors import Problem, quoted

TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<parts>\d+(?::\d+){0,2})")
OURS = (
    "array", "chdir", "dependency", "error", "gpus-per-node", "job-name", "nodes", "ntasks",
    "ntasks-per-node", "open-mode", "output", "requeue", "signal", "time", "wrap",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The part of a cluster for each run, and how many runs may train at a time.

    SLURM sends SIGUSR1 `signal` seconds before the limit `time`. `setup` holds shell lines that
    run before the training. `more` holds further options of sbatch, as in `account=vision`.
    """

    partition: str | None = None
    time: str | None = None
    gpus: int = 0
    nodes: int = 1
    cpus: int | None = None
    max_parallel: int | None = None
    signal: int = 300
    setup: str = ""
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise Problem for a value that sbatch would misread."""
        if self.partition is not None and not re.fullmatch(r"[\w.,-]+", self.partition):
            raise Problem(f"--partition {quoted(self.partition)} is not the name of a partition")
        for option in self.more:
            name = option.partition("=")[0]
            if not re.fullmatch(r"[a-z][a-z-]*(=\S+)?", option):
                raise Problem(
                    f"--sbatch {quoted(option)} must be a long option of sbatch without its "
                    "dashes, as in account=vision"
                )
            if name in OURS:
                raise Problem(f"--sbatch {quoted(option)}: `roadmap submit` sets {name} itself")
        if self.time is not None and seconds(self.time) < 2 * self.signal:
            raise Problem(
                f"--time {self.time} is less than twice --signal {self.signal} seconds: "
                "a run would mostly save and wait; give more time or a smaller --signal"
            )


def seconds(text: str) -> int:
    """Return the seconds of a time limit in SLURM's notation; 0 means no limit and is refused.

    Valid: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and
    days-hours:minutes:seconds.
    """
    found = TIME.fullmatch(text)
    if found is None:
        raise Problem(
            f"--time {quoted(text)} is not a time limit; valid: 90 (minutes), 1:30:00 (hours), "
            "2-12 (days-hours)"
        )
    parts = [int(part) for part in found["parts"].split(":")]
    if found["days"] is not None:
        hours, minutes, rest = (*parts, 0, 0)[:3]
        return ((int(found["days"]) * 24 + hours) * 60 + minutes) * 60 + rest
    if len(parts) < 3:
        parts = [0, *parts]
    hours, minutes, rest = (*parts, 0)[:3]
    return (hours * 60 + minutes) * 60 + rest
