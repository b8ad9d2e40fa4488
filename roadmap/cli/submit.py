"""`roadmap submit`: submit the runs of `roadmap run` to SLURM as an array job."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from experiments.cluster.order import Order
from experiments.cluster.resources import Resources
from experiments.cluster.slurm import Task, most_tasks, queue
from experiments.cluster.submission import (
    Submission,
    chain,
    new_name,
    read_submission,
    read_submissions,
    submitted_folder,
)
from experiments.cluster.waves import Wave, follower, next_wave, runs_in_queue, same_study
from experiments.request import Request
from experiments.tracking.names import chosen_trackers
from roadmap.cli.arguments import Parser, add_submission
from roadmap.cli.console import DONE, say, show
from roadmap.cli.run import choose_more, first_pairs, machine_of, requests_of, rest_pairs, wanted
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from roadmap.files import read_text
from steps.studies.study import Study

MOST_SETUP_BYTES = 1_000_000
Pairs = Sequence[tuple[str, int]]


def submit(workspace: Workspace) -> int:
    """Submit the runs that are neither finished nor in the queue, or print the script."""
    given = workspace.options
    workspace = workspace.replaced(
        devices=given.gpus_per_run or given.devices, nodes=given.nodes_per_run
    )
    options = workspace.options
    _ = workspace.measure  # an unknown one is refused before anything is submitted
    order = _order(workspace, _resources(given))
    pairs, study = wanted(workspace)
    _check(workspace, pairs, study)
    before = read_submission(options.runs, options.after) if options.after else None
    tasks = _tasks(options.dry_run)
    submissions, faults = read_submissions(options.runs)
    for fault in faults:
        say(fault)
    in_queue = runs_in_queue(submissions, tasks)
    tried = {
        (run.row, run.seed)
        for wave in (chain(submissions, before.first) if before else ())
        for run in wave.runs
    }
    wave = _choose(workspace, pairs, study, tried, in_queue)
    _say_plan(wave, before)
    if not wave.runs and not wave.waits_for:
        return DONE
    limit = most_tasks() if tasks is not None and not options.dry_run else len(wave.runs)
    if len(wave.runs) > limit:
        say(f"an array holds at most {limit:,} tasks here; the others follow in the next wave")
        wave = replace(wave, runs=wave.runs[:limit], last=False)
    asked = {request.identity.run for request in _first(workspace, pairs)}
    return _submit(workspace, wave, order, before, same_study(submissions, asked), tasks or [])


def _resources(options: argparse.Namespace) -> Resources:
    if options.gpus_per_run and options.devices != 1:
        raise Problem("--gpus-per-run is the number of devices; leave out --devices")
    setup = ""
    if options.setup is not None:
        try:
            setup = read_text(options.setup, limit=MOST_SETUP_BYTES)
        except (OSError, ValueError) as fault:
            raise Problem(f"--setup {options.setup} cannot be read: {fault}") from None
    return Resources(
        partition=options.partition,
        time=options.time,
        gpus=options.gpus_per_run or 0,
        nodes=options.nodes_per_run,
        cpus=options.cpus_per_run,
        max_parallel=options.max_parallel,
        signal=options.signal,
        setup=setup,
        more=tuple(options.sbatch),
    )


def _check(workspace: Workspace, pairs: Pairs, study: Study | None) -> None:
    """Raise Problem for what would fail in every task."""
    chosen_trackers(workspace.options.log)
    machine = machine_of(workspace.options, jobs=1)
    for request in _first(workspace, pairs):
        request.check(machine)
    if study is not None:
        choose_more(workspace, study, 1)(())


def _first(workspace: Workspace, pairs: Pairs) -> list[Request]:
    return requests_of(workspace, first_pairs(workspace, pairs))


def _tasks(dry_run: bool) -> list[Task] | None:
    """Return the queue; None for a dry run on a machine without SLURM."""
    try:
        return queue()
    except Problem:
        if dry_run:
            return None
        raise


def _choose(
    workspace: Workspace,
    pairs: Pairs,
    study: Study | None,
    tried: Collection[tuple[str, int]],
    in_queue: dict[str, Task],
) -> Wave:
    def more() -> Pairs:
        assert study is not None
        chosen = choose_more(workspace, study, workspace.options.max_parallel or len(pairs))
        return chosen(workspace.loaded.records, tried={*pairs, *tried})

    stages = [lambda: first_pairs(workspace, pairs)]
    if workspace.settings.path.choose is not None:
        stages.append(lambda: rest_pairs(workspace, pairs))
    if study is not None:
        stages.append(more)
    return next_wave(
        stages,
        requests=lambda chosen: requests_of(workspace, chosen),
        tried=tried,
        in_queue=in_queue,
        repeats=study is not None,
        say=say,
    )


def _say_plan(wave: Wave, before: Submission | None) -> None:
    parts = [f"{wave.finished} finished"] if wave.finished else []
    parts += [f"{len(wave.waits_for)} in the queue"] if wave.waits_for else []
    parts += [f"{len(wave.runs)} to submit" if wave.runs else "nothing to submit"]
    say(("next wave: " if before else "runs: ") + ", ".join(parts))


def _submit(
    workspace: Workspace,
    wave: Wave,
    order: Order,
    before: Submission | None,
    same: Sequence[Submission],
    tasks: Sequence[Task],
) -> int:
    """Submit the wave and the job that follows it; `same` are earlier submissions of the study."""
    options, jobs = workspace.options, [task.job for task in wave.waits_for]
    title = Path(options.study or options.roadmap or "tiny").stem
    name = new_name(order.runs, title, datetime.now())
    other = follower(same, tasks, options.after)
    follows = not wave.last and other is None
    if options.dry_run:
        if wave.runs:
            show(order.script(name, wave.runs).rstrip("\n"))
        if follows:
            say("a small job after these runs submits the next wave")
        return DONE
    known = same[-1].name if same else None
    if wave.runs:
        known, job = name, order.send(name, wave.runs, before)
        jobs.append(job)
        path = submitted_folder(order.runs) / f"{name}.sbatch"
        say(f"submitted {len(wave.runs)} runs as job {job}: {path}; `roadmap status` shows them")
    if follows:
        job = order.send_next(known or name, known, jobs)
        say(f"job {job} follows and submits the next wave")
    elif other is not None:
        say(f"job {other.number} in the queue submits the next wave")
    return DONE


def _order(workspace: Workspace, resources: Resources) -> Order:
    """Return what was typed, and `roadmap run` with the same options for the tasks."""
    options, typed = workspace.options, _typed(workspace.arguments)
    known = Parser(add_help=False)
    add_submission(known)
    _, rest = known.parse_known_args(typed[1:])
    shared = ["--devices", str(options.devices)] if options.gpus_per_run else []
    shared += ["--nodes", str(options.nodes)] if options.nodes > 1 else []
    return Order(
        typed=tuple(typed),
        task=("run", *rest, *shared, "--jobs", "1"),
        resources=resources,
        runs=options.runs,
        folder=Path.cwd(),
    )


def _typed(arguments: Sequence[str]) -> list[str]:
    """Return what the user typed: the arguments without `--dry-run`, and without
    the wave that a job of ours adds.
    """
    given = [argument for argument in arguments if argument != "--dry-run"]
    if "--after" in given:
        place = given.index("--after")
        del given[place : place + 2]
    return given
