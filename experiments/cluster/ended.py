"""Why a task that left the queue left no record: the end of its output, else SLURM's own word."""

from __future__ import annotations

import re
from pathlib import Path

from experiments.cluster.slurm import why_ended
from experiments.cluster.submission import Submission, submitted_folder
from roadmap.errors import escaped

MOST_BYTES = 20_000
# Lines that say why: those of slurmstepd, of our program, of Python, of the shell.
TELLING = re.compile(
    r"(slurmstepd|srun)\S*: error: .*|roadmap: .*|\w*(Error|Exception)\b.*|.*slurm_script: .*"
)


def output_of(submission: Submission, index: int, runs: Path) -> Path:
    """Return the file that holds what task `index` printed."""
    return submitted_folder(runs) / f"{submission.name}.{index}.out"


def why_no_record(submission: Submission, index: int, runs: Path) -> str:
    """Return in a line why task `index` ended; `runs` is the folder of runs."""
    path = output_of(submission, index, runs)
    number = f"job {submission.job}_{index}"
    if submission.job is None:
        return "not submitted: sbatch did not return"
    found = why_ended(submission.job, index)
    said = _last_words(path)
    if not path.exists():
        return f"{number} {found or 'left the queue'} before it began"
    words = ", ".join(part for part in (found, said) if part)
    return f"{number} {'ended: ' + words if words else 'left the queue'} ({path})"


def why_no_wave(submission: Submission, runs: Path) -> str:
    """Return why no wave followed a submission that one should follow; empty if all is well."""
    folder = submitted_folder(runs)
    if not (folder / f"{submission.name}.next.sbatch").exists():
        return ""
    path = folder / f"{submission.name}.next.out"
    words = _last_words(path)
    if "nothing to submit" in words:
        return ""
    return f"no wave followed {submission.name}: {words or 'its job left the queue'} ({path})"


def _last_words(path: Path) -> str:
    """Return the last line of an output that tells something; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    telling = [line for line in lines if TELLING.fullmatch(line.strip())]
    return escaped(telling[-1].strip()[:300]) if telling else ""
