"""`roadmap train` and `roadmap run`: train unfinished runs, then show the results."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from analysis.selection import select
from experiments.cluster.task import requeue_when_stopped
from experiments.data.scratch import from_scratch
from experiments.host.machine import Machine
from experiments.host.signals import STOP
from experiments.launch.launchers import Outcome, run_all
from experiments.launch.sharing import choose_jobs
from experiments.request import Request
from experiments.tracking.names import TRACKERS, chosen_trackers
from roadmap.choice import SEED
from roadmap.cli.console import DONE, FAILED, RESUME, say, show
from roadmap.cli.cost import check_effect
from roadmap.cli.workspace import Workspace, check_count
from roadmap.errors import Problem, quoted
from roadmap.override import scaled_with_epochs
from roadmap.record import Asked
from steps.studies.study import Study

Pairs = Sequence[tuple[str, int]]  # rows and seeds


def train(workspace: Workspace) -> int:
    """Train one row with one seed."""
    _say_trackers(workspace)
    check_effect(workspace)
    outcome = _train(workspace, [(workspace.options.row, workspace.options.seed)], jobs=1)
    return _show_outcome(workspace, outcome, 1)


def run(workspace: Workspace) -> int:
    """Train the rows of a roadmap, or the variants of a study, with one or more seeds."""
    options = workspace.options
    _say_trackers(workspace)
    _ = workspace.measure  # an unknown one is refused before anything is trained
    if options.only is not None:
        return _run_only(workspace)
    pairs, study = wanted(workspace)
    jobs = options.jobs or choose_jobs(requests_of(workspace, pairs), options.devices, say=say)
    if study is None:
        return _run_and_show(workspace, pairs, jobs)
    return _run_until_decided(workspace, study, pairs, jobs)


def wanted(workspace: Workspace) -> tuple[list[tuple[str, int]], Study | None]:
    """Return the rows and seeds asked for; and with --until-decided the study, else None."""
    options, study, roadmap = workspace.options, workspace.study, workspace.roadmap
    if options.rows is not None and options.branches:
        raise Problem("--rows names the rows; --branches adds to all of them: give one of the two")
    branches = study is not None or options.branches
    numbers = [row.number for row in roadmap if branches or not row.is_branch]
    rows = numbers if options.rows is None else options.rows.split(",")
    if len(set(rows)) < len(rows):
        raise Problem(f"--rows {options.rows} names a row twice")
    seeds = options.seeds or (study.seeds if study else 1)
    check_count(len(rows), max(seeds, options.max_seeds if options.until_decided else 0))
    pairs = [(row, seed) for seed in range(seeds) for row in rows]
    if not options.until_decided:
        return pairs, None
    if study is None or options.rows is not None:
        raise Problem(
            "--until-decided is for a whole STUDY, as in roadmap run path --until-decided"
        )
    return pairs, replace(study, seeds=seeds)


def _say_trackers(workspace: Workspace) -> None:
    """Say where trackers write; raises Problem for an unknown one or a missing package."""
    options = workspace.options
    for name in chosen_trackers(options.log):
        say(f"--log {name}: {TRACKERS[name].look.replace('FOLDER', str(options.runs / 'logs'))}")


def _run_only(workspace: Workspace) -> int:
    """Train the one run that --only names, as a task of a cluster does."""
    row, _, seed = workspace.options.only.rpartition(":")
    if not row or not seed.isascii() or not seed.isdecimal() or len(seed) > 9:
        raise Problem(f"--only {quoted(workspace.options.only)} must be ROW:SEED, as in 05:0")
    STOP.listen()  # a signal that comes while torch loads is not lost
    with requeue_when_stopped(requests_of(workspace, [(row, int(seed))])[0]) as task:
        outcome = _train(workspace, [(row, int(seed))], jobs=1)
        task.stopped = outcome.stopped
    return DONE if task.requeued else _say_failures(outcome, 1)


def choose_more(
    workspace: Workspace, study: Study, runs: int
) -> Callable[..., list[tuple[str, int]]]:
    """Return the function that chooses about `runs` more rows and seeds from records."""
    from analysis.verdicts.more_seeds import next_runs

    return partial(
        next_runs,
        study,
        most=workspace.options.max_seeds,
        runs=runs,
        data=workspace.settings.source.fingerprint,
        measure=workspace.measure,
        given_images=workspace.options.given_images,
    )


def _run_until_decided(workspace: Workspace, study: Study, pairs: Pairs, jobs: int) -> int:
    """Add seeds where verdicts are open. A run that diverged or failed is not tried again here."""
    next_pairs = choose_more(workspace, study, jobs)
    next_pairs(())  # raises before anything is trained if seeds cannot decide the study
    tried = set(pairs)
    code = _say_failures(_run(workspace, pairs, jobs), len(pairs))
    while code in (DONE, FAILED):
        pairs = next_pairs(workspace.loaded.records, tried=tried)
        if not pairs:
            _show_results(workspace)
            break
        tried |= set(pairs)
        say("still open; next: " + ", ".join(f"{row} seed {seed}" for row, seed in pairs))
        code = max(code, _say_failures(_run(workspace, pairs, jobs), len(pairs)))
    return code


def requests_of(workspace: Workspace, pairs: Pairs) -> list[Request]:
    """Return the requests for these rows and seeds."""
    return [Request(settings=workspace.settings, row=row, seed=seed) for row, seed in pairs]


def _run(workspace: Workspace, pairs: Pairs, jobs: int) -> Outcome:
    """Train these rows and seeds, except finished runs.

    If the roadmap has a choice, one seed of all candidates comes first. The other seeds follow at
    the value that is chosen then.
    """
    if workspace.settings.path.choose is None:
        return _train(workspace, pairs, jobs)
    tried = _train(workspace, first_pairs(workspace, pairs), jobs)
    if tried.stopped:
        return tried
    rest = rest_pairs(workspace, pairs)
    outcome = _train(workspace, rest, jobs) if rest else Outcome(records=(), failures={})
    return replace(
        outcome,
        records=(*tried.records, *outcome.records),
        failures=tried.failures | outcome.failures,
    )


def first_pairs(workspace: Workspace, pairs: Pairs) -> Pairs:
    """Return what is trained first: all, or with a choice one seed of all candidates."""
    path, source = workspace.settings.path, workspace.settings.source
    if path.choose is None:
        return pairs
    if not source.has_select:
        raise Problem(
            f"{path.choose.field} is to be chosen on a split 'select', which data "
            f"{source.name!r} lacks; --set {path.choose.field}=VALUE trains at one value"
        )
    rows = dict.fromkeys(row for row, _ in pairs)
    return [(trial, SEED) for row in rows for trial in _trials(workspace, row)]


def rest_pairs(workspace: Workspace, pairs: Pairs) -> Pairs:
    """Return what is trained after a choice: the other seeds, at the value chosen by then."""
    path, source = workspace.settings.path, workspace.settings.source
    if path.choose is None:
        return []
    chosen = select(path, workspace.loaded.records, source.fingerprint).chosen
    numbers = {
        row: row if _trials(workspace, row) == (row,) else chosen.get(path[row].number)
        for row, _ in pairs
    }
    return [(number, seed) for row, seed in pairs if seed != SEED and (number := numbers[row])]


def _trials(workspace: Workspace, row: str) -> tuple[str, ...]:
    return (row,) if row.startswith("timm:") else workspace.settings.path.trials(row)


def _train(workspace: Workspace, pairs: Pairs, jobs: int) -> Outcome:
    """Train these rows and seeds exactly."""
    options = workspace.options
    if said := scaled_with_epochs(workspace.config.specs_as_read(), workspace.overrides):
        say(said)
    requests = requests_of(workspace, pairs)
    if options.scratch is not None:
        requests = from_scratch(requests, options.scratch, say)
    if (start := workspace.start) is not None:
        path = workspace.settings.path
        own = dict.fromkeys(row for row, _ in pairs if not row.startswith("timm:"))
        start.check(path[row] for row in own)
    machine = machine_of(options, jobs)
    outcome = run_all(
        requests,
        parallel=jobs,
        machine=machine,
        command=shlex.join(["roadmap", *sys.argv[1:]]),
        asked=Asked(
            data=options.data,
            until_decided=options.until_decided,
            first_seeds=options.seeds,
            most_seeds=options.max_seeds,
        ),
        restart=options.restart,
        trackers=options.log,
        say=say,
    )
    workspace.forget_records(outcome.records)
    return outcome


def machine_of(options: argparse.Namespace, jobs: int) -> Machine:
    """Return how each of `jobs` parallel runs is computed."""
    machine = Machine.shared_by(
        jobs,
        devices=options.devices,
        nodes=options.nodes,
        accumulate=options.accumulate,
        precision=options.precision,
        compile=options.compile,
        sync_batchnorm=options.sync_batchnorm,
        images=options.images,
        decode=options.decode,
        save_every=options.save_every,
        keep=options.keep,
        wait=not options.no_wait,
        broken=options.broken,
    )
    if options.threads:
        machine = replace(machine, threads=options.threads)
    if options.workers is not None:
        machine = replace(machine, workers=options.workers)
    return machine


def _run_and_show(workspace: Workspace, pairs: Pairs, jobs: int) -> int:
    return _show_outcome(workspace, _run(workspace, pairs, jobs), len(pairs))


def _show_outcome(workspace: Workspace, outcome: Outcome, total: int) -> int:
    if outcome.records:
        _show_results(workspace)
    return _say_failures(outcome, total)


def _say_failures(outcome: Outcome, total: int) -> int:
    """Name the runs that failed, say whether the command was stopped, return the exit code."""
    if outcome.failures and total > 1:  # the reasons were printed when the runs failed
        names = ", ".join(outcome.failures)
        say(f"{len(outcome.failures)} of {total} runs failed: {names}; their log.txt says why")
    if outcome.stopped:
        say(RESUME)
        return 128 + outcome.stopped
    diverged = any(record.status == "diverged" for record in outcome.records)
    return FAILED if outcome.failures or diverged else DONE


def _show_results(workspace: Workspace) -> None:
    """Show all runs in this folder with these specs and this data."""
    from analysis.tables.render import render
    from analysis.tables.verdict_table import render_verdicts
    from roadmap.cli.given import answer_lines

    subject = workspace.subject(data=workspace.settings.source.fingerprint, say_none=False)
    if workspace.study is None:
        show(render(subject.table, "terminal"))
    else:
        show("\n".join([*answer_lines(workspace, subject), ""]))
        show(render_verdicts(subject.judged, "terminal"))
