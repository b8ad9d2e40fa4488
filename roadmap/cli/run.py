"""`roadmap train` and `roadmap run`: train what is not trained yet, then show the results."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.host.machine import Machine, default_jobs
from experiments.launch.pool import Outcome, run_all
from experiments.request import Request
from roadmap.cli.console import DONE, FAILED, say, show
from roadmap.cli.cost import check_effect
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from steps.studies.study import Study

Pairs = Sequence[tuple[str, int]]  # rows and seeds


def train(workspace: Workspace) -> int:
    """Train one row with one seed."""
    check_effect(workspace)
    outcome = _run(workspace, [(workspace.options.row, workspace.options.seed)], jobs=1)
    return _finish(workspace, outcome)


def run(workspace: Workspace) -> int:
    """Train the rows of a roadmap, or the variants of a study, with one or more seeds."""
    options, study = workspace.options, workspace.study
    roadmap = workspace.roadmap
    if options.rows is not None and options.branches:
        raise Problem("--rows names the rows; --branches adds to all of them: give one of the two")
    branches = study is not None or options.branches
    numbers = [row.number for row in roadmap if branches or not row.is_branch]
    rows = numbers if options.rows is None else options.rows.split(",")
    if len(set(rows)) < len(rows):
        raise Problem(f"--rows {options.rows} names a row twice")
    seeds = options.seeds or (study.seeds if study else 1)
    jobs = options.jobs or default_jobs(options.devices)
    pairs = [(row, seed) for seed in range(seeds) for row in rows]
    if not options.until_decided:
        return _finish(workspace, _run(workspace, pairs, jobs))
    if study is None or options.rows is not None:
        raise Problem(
            "--until-decided is for a whole STUDY, as in roadmap run path --until-decided"
        )
    return _run_until_decided(workspace, replace(study, seeds=seeds), pairs, jobs)


def _run_until_decided(workspace: Workspace, study: Study, pairs: Pairs, jobs: int) -> int:
    """Add seeds where verdicts are open. A run that diverged or failed is not tried again here."""
    from analysis.verdicts.more_seeds import next_runs
    from roadmap.record import read_records

    options = workspace.options
    wanted = {
        "most": options.max_seeds,
        "runs": jobs,
        "data": workspace.settings.source.fingerprint,
        "measure": workspace.measure,
    }
    next_runs(study, (), **wanted)  # raises before anything runs if seeds cannot decide the study
    tried = set(pairs)
    outcome = _run(workspace, pairs, jobs)
    code = _exit_code(outcome)
    while code in (DONE, FAILED):
        pairs = next_runs(study, read_records(options.runs).records, tried=tried, **wanted)
        if not pairs:
            _show_results(workspace)
            break
        tried |= set(pairs)
        say("still open; next: " + ", ".join(f"{row} seed {seed}" for row, seed in pairs))
        code = max(code, _exit_code(_run(workspace, pairs, jobs)))
    return code


def _run(workspace: Workspace, pairs: Pairs, jobs: int) -> Outcome:
    """Train these rows and seeds, and name the runs that failed."""
    options = workspace.options
    requests = [Request(settings=workspace.settings, row=row, seed=seed) for row, seed in pairs]
    machine = Machine.shared_by(
        jobs,
        devices=options.devices,
        nodes=options.nodes,
        accumulate=options.accumulate,
        precision=options.precision,
        compile=options.compile,
        sync_batchnorm=options.sync_batchnorm,
        images=options.images,
        save_every=options.save_every,
        wait=not options.no_wait,
        broken=options.broken,
    )
    if options.threads:
        machine = replace(machine, threads=options.threads)
    if options.workers is not None:
        machine = replace(machine, workers=options.workers)
    if options.restart or not all((each.folder / "record.json").exists() for each in requests):
        _check_writable(options.runs)
    return run_all(
        requests,
        jobs=jobs,
        machine=machine,
        command=shlex.join(["roadmap", *sys.argv[1:]]),
        restart=options.restart,
        say=say,
    )


def _check_writable(runs: Path) -> None:
    """Raise Problem if no run can be written below this folder, before torch is loaded."""
    for folder in (runs, *runs.parents):
        if folder.is_symlink() and not folder.exists():
            raise Problem(
                f"folder of runs {runs}: {folder} is a link to {os.readlink(folder)}, which does "
                "not exist"
            )
        if folder.exists():
            if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
                raise Problem(f"folder of runs {runs}: {folder} cannot be written to")
            return


def _finish(workspace: Workspace, outcome: Outcome) -> int:
    code = _exit_code(outcome)
    if outcome.records:
        _show_results(workspace)
    return code


def _exit_code(outcome: Outcome) -> int:
    if outcome.stopped:
        return 128 + outcome.stopped
    diverged = any(record.status == "diverged" for record in outcome.records)
    return FAILED if outcome.failures or diverged else DONE


def _show_results(workspace: Workspace) -> None:
    """Show all runs in this folder with these specs and this data."""
    from analysis.tables.render import render
    from analysis.tables.verdict_table import render_verdicts

    subject = workspace.subject(data=workspace.settings.source.fingerprint, say_none=False)
    if workspace.study is None:
        show(render(subject.table, "terminal"))
    else:
        show(render_verdicts(subject.judged, "terminal"))
