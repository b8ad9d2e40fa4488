"""`roadmap plan`: what a study would take, before anything runs."""

from __future__ import annotations

from experiments.forecast import forecast, in_words
from experiments.launch.sharing import choose_jobs
from experiments.request import Request
from roadmap.choice import SEED
from roadmap.cli.console import DONE, say, show
from roadmap.cli.workspace import Workspace, check_count


def plan(workspace: Workspace) -> int:
    """Print runs, finished runs, multiply-accumulates and hours of a study."""
    options, study = workspace.options, workspace.config.load_study(workspace.options.study)
    seeds = options.seeds or study.seeds
    path = study.roadmap
    check_count(len(path.rows), seeds)
    requests = [
        Request(settings=workspace.settings, row=number, seed=seed)
        for row in path
        for seed in range(seeds)
        for number in (path.trials(row.number) if seed == SEED else (row.number,))
    ]
    jobs = options.jobs or choose_jobs(requests, options.devices)
    work = forecast(requests, workspace.loaded.records, jobs, options.devices)
    show(in_words(study, work, seeds, jobs))
    runs = {request.identity.run for request in requests}
    copies = sum(record.identity.run in runs for record in workspace.collected)
    if copies:
        say(
            f"{copies} of these have collected records below {options.runs}/, which are no runs: "
            "`roadmap run` with this folder trains them again"
        )
    return DONE
