"""`roadmap status`: the state of each run, here and in SLURM's queue, and the time left."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.cluster.ended import why_no_wave
from experiments.cluster.slurm import Task, queue
from experiments.cluster.submission import Submission, read_submissions
from experiments.cluster.waves import runs_in_queue
from experiments.forecast import seconds_each
from experiments.launch.sharing import choose_jobs
from experiments.request import Request
from experiments.status import Known, RunStatus, status_of
from experiments.status_table import as_dict, in_words
from roadmap.choice import SEED
from roadmap.cli.console import DONE, say, show
from roadmap.cli.run import rest_pairs
from roadmap.cli.workspace import Workspace, check_count
from roadmap.errors import Problem
from roadmap.json_text import json_text

MOST_SEEDS = 64  # looked for if --seeds is not given


def status(workspace: Workspace) -> int:
    """Print a table of the runs, or a list of objects."""
    options = workspace.options
    submissions, faults = read_submissions(options.runs)
    for fault in faults:
        say(fault)
    tasks = _tasks(submissions)
    if tasks is None:  # the state of submitted runs is unknown
        tasks, submissions = [], []
    requests = _requests(workspace)
    lengths = seconds_each(requests, workspace.loaded.records)
    submitted = {
        run.run: (submission, index)
        for submission in submissions
        for index, run in enumerate(submission.runs)
    }
    known = Known(in_queue=runs_in_queue(submissions, tasks), submitted=submitted)
    runs = [
        status_of(request, length=length, known=known)
        for request, length in zip(requests, lengths, strict=True)
    ]
    if options.json:
        show(json_text([as_dict(run) for run in runs]))
        return DONE
    show(in_words(runs, jobs=_jobs(workspace, runs), everything=options.all))
    followers = _followers(submissions, tasks)
    for name, task in followers.items():
        say(f"job {task.number} submits the next wave of {name}: {task.state.lower()}")
    for last in {each.first: each for each in submissions if not followers}.values():
        if fault := why_no_wave(last, options.runs):
            say(fault)
    return DONE


def _requests(workspace: Workspace) -> list[Request]:
    """Return the runs that are asked for, with all seeds that were started."""
    options, study, path = workspace.options, workspace.study, workspace.settings.path
    asked = options.seeds or (study.seeds if study else 1)
    most = asked if options.seeds else max(asked, MOST_SEEDS)
    check_count(len(path.rows), most)
    rows = [row.number for row in path]
    if study is None:
        rows = [row.number for row in path if not row.is_branch or _started(workspace, row.number)]
    pairs = [(row, seed) for seed in range(most) for row in rows]
    if path.choose is not None:
        first = [(trial, SEED) for row in rows for trial in path.trials(row)]
        pairs = [*first, *rest_pairs(workspace, pairs)]
    requests = [Request(settings=workspace.settings, row=row, seed=seed) for row, seed in pairs]
    return [request for request in requests if request.seed < asked or request.folder.is_dir()]


def _started(workspace: Workspace, row: str) -> bool:
    return Request(settings=workspace.settings, row=row, seed=SEED).folder.is_dir()


def _tasks(submissions: Sequence[Submission]) -> list[Task] | None:
    """Return SLURM's queue, if runs were submitted from this folder; None if it is unknown."""
    if not submissions:
        return []
    try:
        return queue()
    except Problem as fault:
        say(f"{fault}; so it is unknown which runs are in the queue")
        return None


def _jobs(workspace: Workspace, runs: Sequence[RunStatus]) -> int:
    """Return how many runs train at a time: as many as do now, else as `roadmap run` would."""
    running = sum(run.state == "running" for run in runs)
    if workspace.options.jobs or running:
        return int(workspace.options.jobs or running)
    left = [run.request for run in runs if run.state != "finished"]
    return choose_jobs(left)


def _followers(submissions: Sequence[Submission], tasks: Sequence[Task]) -> dict[str, Task]:
    names = {submission.name for submission in submissions}
    return {
        name: task
        for task in tasks
        if task.name.endswith(".next") and (name := task.name.removesuffix(".next")) in names
    }
