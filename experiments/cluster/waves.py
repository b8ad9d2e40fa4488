"""Choose the runs of the next wave: those that are neither finished, tried nor in the queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from experiments.cluster.slurm import Task
from experiments.cluster.submission import Submission
from experiments.request import Request
from roadmap.errors import Problem

Pairs = Sequence[tuple[str, int]]


@dataclass(frozen=True, kw_only=True)
class Wave:
    """The runs to submit now, and the tasks in the queue that train others of the same stage.

    `last` says that no wave can follow. `finished` runs are left out.
    """

    runs: tuple[Request, ...] = ()
    waits_for: tuple[Task, ...] = ()
    finished: int = 0
    last: bool = True


def next_wave(
    stages: Sequence[Callable[[], Pairs]],
    *,
    requests: Callable[[Pairs], list[Request]],
    tried: Collection[tuple[str, int]],
    in_queue: Mapping[str, Task],
    repeats: bool,
    say: Callable[[str], None],
) -> Wave:
    """Return the wave of the first stage that has something to train.

    A stage gives rows and seeds; it is asked when those before it are done. `tried` were in an
    earlier wave: they are finished or failed, and are not submitted again. `in_queue` is by run.
    `repeats` says that the last stage may give more once these are done.
    """
    finished = 0
    for number, stage in enumerate(stages, start=1):
        todo: list[Request] = []
        waits_for: list[Task] = []
        for request in requests(stage()):
            if task := in_queue.get(request.identity.run):
                waits_for.append(task)
            elif _is_finished(request, say):
                finished += 1
            elif (request.row, request.seed) not in tried:
                todo.append(request)
        if todo or waits_for:
            return Wave(
                runs=tuple(todo),
                waits_for=tuple(waits_for),
                finished=finished,
                last=number == len(stages) and not repeats,
            )
    return Wave(finished=finished)


def runs_in_queue(
    submissions: Sequence[Submission], tasks: Sequence[Task] | None
) -> dict[str, Task]:
    """Return the tasks that train a run of these submissions, by the run's fingerprint."""
    by_name = {submission.name: submission for submission in submissions}
    found: dict[str, Task] = {}
    for task in tasks or ():
        submission = by_name.get(task.name)
        if submission and task.index is not None and task.index < len(submission.runs):
            found[submission.runs[task.index].run] = task
    return found


def same_study(submissions: Sequence[Submission], runs: Collection[str]) -> list[Submission]:
    """Return the submissions, and waves after them, that trained any of these runs."""
    chains = {each.first for each in submissions if any(run.run in runs for run in each.runs)}
    return [submission for submission in submissions if submission.first in chains]


def follower(
    submissions: Sequence[Submission], tasks: Sequence[Task], own: str | None
) -> Task | None:
    """Return the job that submits the wave after one of these; not that of the wave `own`."""
    names = {f"{submission.name}.next" for submission in submissions if submission.name != own}
    return next((task for task in tasks if task.name in names), None)


def _is_finished(request: Request, say: Callable[[str], None]) -> bool:
    """Return whether a run has a record; one that cannot be read needs a person, not a task."""
    try:
        return request.finished() is not None
    except Problem as fault:
        say(f"{fault}; use `roadmap run --restart` to start it over")
        return True
