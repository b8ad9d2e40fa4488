"""SLURM's own programs: submit, list the queue, ask why a task ended, requeue."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roadmap.errors import Problem

MOST_TASKS = 1001  # of an array, where SLURM does not say: its default MaxArraySize
TIMEOUT = 120.0  # seconds; a busy controller takes long


@dataclass(frozen=True, kw_only=True)
class Task:
    """A job or array task in the queue; `index` is None for a job without an array."""

    job: int
    index: int | None
    name: str
    state: str
    nodes: str
    reason: str

    @property
    def number(self) -> str:
        """The task as SLURM writes it: `12_3`."""
        return f"{self.job}" if self.index is None else f"{self.job}_{self.index}"


def submit(script: Path, after: Sequence[int] = ()) -> int:
    """Submit a script and return the job's number; it starts when the jobs `after` have ended."""
    depends = [f"--dependency=afterany:{':'.join(map(str, after))}"] if after else []
    answer = _call("sbatch", "--parsable", *depends, str(script))
    return int(answer.strip().partition(";")[0])


def queue() -> list[Task]:
    """Return this user's jobs that wait or run, each array task on its own."""
    answer = _call(
        "squeue", "--me", "--noheader", "--array", "--format=%F|%K|%j|%T|%N|%r",
        "--states=PENDING,RUNNING,CONFIGURING,COMPLETING,SUSPENDED,REQUEUED,REQUEUE_HOLD,STOPPED",
    )  # fmt: skip
    return [task for line in answer.splitlines() if (task := _task(line)) is not None]


def why_ended(job: int, index: int) -> str:
    """Return what SLURM knows about a task that ended; it forgets after some minutes."""
    try:
        answer = _call("scontrol", "show", "job", f"{job}_{index}", "--oneliner")
    except Problem:
        return ""
    known = dict(word.split("=", 1) for word in answer.split() if "=" in word)
    if known.get("JobState") not in ("FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED",
                                     "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"):  # fmt: skip
        return ""
    state = known["JobState"].lower().replace("_", " ")
    killed = known.get("ExitCode", "0:0").partition(":")[2]
    if killed not in ("", "0"):
        return f"{state}, killed by signal {killed}"
    reason = known.get("Reason", "None")
    return f"{state} ({reason})" if reason not in ("None", state) else state


def most_tasks() -> int:
    """Return how many tasks an array may have."""
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", _call("scontrol", "show", "config"))
    return max(1, int(found[1]) - 1 if found else MOST_TASKS - 1)


def requeue() -> None:
    """Put the task in which this process runs back into the queue. Raises Problem."""
    _call("scontrol", "requeue", os.environ["SLURM_JOB_ID"])


def _task(line: str) -> Task | None:
    job, index, name, state, nodes, reason = (*line.split("|", 5), *[""] * 5)[:6]
    if not job.isdecimal():
        return None
    number = int(index) if index.isdecimal() else None
    return Task(job=int(job), index=number, name=name, state=state, nodes=nodes, reason=reason)


def _call(*command: str) -> str:
    """Return what a program prints. Raises Problem with its message if it fails.

    Variables of a job that this process runs in would become options of the job it submits.
    """
    outside = {
        name: text
        for name, text in os.environ.items()
        if name == "SLURM_CONF" or not name.startswith(("SLURM_", "SBATCH_", "ROADMAP_REQUEUE"))
    }
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=outside, timeout=TIMEOUT, check=False
        )
    except FileNotFoundError:
        raise Problem(
            f"there is no program {command[0]}: this machine has no SLURM "
            "(`roadmap submit --dry-run` prints the script)"
        ) from None
    except subprocess.TimeoutExpired:
        raise Problem(f"{command[0]} did not answer within {TIMEOUT:.0f} seconds") from None
    if done.returncode:
        words = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Problem(f"{command[0]} refused: {words}")
    return done.stdout
