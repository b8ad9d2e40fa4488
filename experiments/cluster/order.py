"""Submit a wave: write its script and what it holds, call sbatch, and let the next wave follow."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.cluster.resources import Resources
from experiments.cluster.script import array_script, next_script
from experiments.cluster.slurm import submit
from experiments.cluster.submission import (
    Submission,
    SubmittedRun,
    submitted_folder,
    write_submission,
)
from experiments.request import Request
from roadmap.errors import Problem
from roadmap.files import put_text


@dataclass(frozen=True, kw_only=True)
class Order:
    """A command that submits: what was typed after `roadmap`, and what a task runs instead.

    `runs` is the folder of runs, relative to `folder`, from which the command was called.
    """

    typed: tuple[str, ...]
    task: tuple[str, ...]
    resources: Resources
    runs: Path
    folder: Path

    @property
    def words(self) -> str:
        """The command as a line."""
        return shlex.join(["roadmap", *self.typed])

    def script(self, name: str, requests: Sequence[Request]) -> str:
        """Return the script of an array that trains these runs."""
        return array_script(
            name=name,
            runs=_runs(requests),
            command=self.task,
            words=self.words,
            resources=self.resources,
            output=submitted_folder(self.runs),
            folder=self.folder,
        )

    def send(self, name: str, requests: Sequence[Request], before: Submission | None) -> int:
        """Submit an array, as the wave after `before`, and return the job's number."""
        path = self._path(f"{name}.sbatch")
        submission = Submission(
            name=name,
            first=before.first if before else name,
            wave=before.wave + 1 if before else 1,
            command=self.words,
            runs=tuple(_runs(requests)),
        )
        put_text(path, self.script(name, requests))
        write_submission(submission, self.runs)  # first: `status` never meets an unknown task
        try:
            job = submit(path)
        except Problem:
            path.with_suffix(".json").unlink(missing_ok=True)
            raise
        write_submission(replace(submission, job=job), self.runs)
        return job

    def send_next(self, name: str, wave: str | None, jobs: Sequence[int]) -> int:
        """Submit the small job that submits what follows `wave` when `jobs` have ended."""
        after = ["--after", wave] if wave else []
        path = self._path(f"{name}.next.sbatch")
        script = next_script(
            name=name,
            command=[*self.typed, *after],
            words=self.words,
            resources=self.resources,
            output=submitted_folder(self.runs),
            folder=self.folder,
        )
        put_text(path, script)
        return submit(path, after=sorted(set(jobs)))

    def _path(self, name: str) -> Path:
        folder = submitted_folder(self.runs)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name


def _runs(requests: Sequence[Request]) -> list[SubmittedRun]:
    return [
        SubmittedRun(
            row=request.row, seed=request.seed, name=request.name, run=request.identity.run
        )
        for request in requests
    ]
