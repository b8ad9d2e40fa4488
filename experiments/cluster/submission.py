"""What was submitted: `runs/submitted/NAME.json`, next to the script and the tasks' output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from roadmap.errors import Problem
from roadmap.files import put_text, read_text

FOLDER = "submitted"  # below the folder of runs
MOST_BYTES = 50_000_000


@dataclass(frozen=True, kw_only=True)
class SubmittedRun:
    """A run of an array: its row and seed, its name, and the fingerprint that names its folder."""

    row: str
    seed: int
    name: str
    run: str

    @property
    def key(self) -> str:
        """The run as `--only` takes it."""
        return f"{self.row}:{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One array job. Task N trains `runs[N]`.

    A study may take several waves: `wave` counts from 1, and `first` is the name of wave 1. `job`
    is SLURM's number; it is None until sbatch has returned. `command` is what the user typed.
    """

    name: str
    first: str
    wave: int
    command: str
    runs: tuple[SubmittedRun, ...]
    job: int | None = None


_ADAPTER = TypeAdapter(Submission)


def submitted_folder(runs: Path) -> Path:
    """Return where scripts and outputs are, below the folder of runs."""
    return runs / FOLDER


def new_name(runs: Path, title: str, now: datetime) -> str:
    """Return a name that no other submission of this folder has: `path-20261127-231500`."""
    word = re.sub(r"[^A-Za-z0-9_-]+", "-", title).strip("-") or "runs"
    stem = f"{word[:40]}-{now:%Y%m%d-%H%M%S}"
    names = (stem, *(f"{stem}-{number}" for number in range(2, 1000)))
    return next(name for name in names if not _path(runs, name).exists())


def write_submission(submission: Submission, runs: Path) -> None:
    """Write the submission's JSON file."""
    text = _ADAPTER.dump_json(submission, indent=1).decode()
    put_text(_path(runs, submission.name), text + "\n")


def read_submission(runs: Path, name: str) -> Submission:
    """Return the submission of this name. Raises Problem if it cannot be read."""
    return _read(_path(runs, name))


def read_submissions(runs: Path) -> tuple[list[Submission], list[str]]:
    """Return all submissions, oldest first, and a message for each file that cannot be read."""
    found: list[Submission] = []
    faults: list[str] = []
    folder = submitted_folder(runs)
    for path in sorted(folder.glob("*.json"), key=lambda path: path.lstat().st_mtime):
        try:
            found.append(_read(path))
        except Problem as fault:
            faults.append(str(fault))
    return found, faults


def chain(submissions: Sequence[Submission], first: str) -> list[Submission]:
    """Return the waves that follow from the submission `first`, with it."""
    return [submission for submission in submissions if submission.first == first]


def _path(runs: Path, name: str) -> Path:
    return submitted_folder(runs) / f"{name}.json"


def _read(path: Path) -> Submission:
    try:
        return _ADAPTER.validate_json(read_text(path, limit=MOST_BYTES))
    except FileNotFoundError:
        raise Problem(f"there is no submission {path}") from None
    except (OSError, ValueError, ValidationError):
        raise Problem(f"{path} is damaged: it is no submission; remove it") from None
