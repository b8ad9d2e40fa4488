"""`roadmap plan`: estimate runs and hours of a study, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.forecast import forecast, in_words, is_finished
from experiments.host.device import this_device
from experiments.host.machine import Machine
from experiments.launch.sharing import choose_jobs
from experiments.planned import PlannedImages
from experiments.request import Request
from experiments.settings import Settings
from experiments.short_runs import seconds_of_runs
from roadmap.choice import SEED
from roadmap.cli.console import DONE, say, show
from roadmap.cli.workspace import Workspace, check_count
from roadmap.errors import Problem
from roadmap.rows import Roadmap


def _settings(workspace: Workspace, roadmap: Roadmap) -> Settings:
    """Return what the runs share; with --images the data set is only a number."""
    options = workspace.options
    if options.images is None:
        return workspace.settings
    if options.data is not None:
        raise Problem("--images plans without data: leave out --data")
    last = roadmap.rows[-1].spec
    source = PlannedImages(
        planned=options.images, of_classes=last.network.classes, size=last.recipe.image_size
    )
    vars(workspace.settings)["source"] = source
    return workspace.settings


def _timed(requests: Sequence[Request], jobs: int) -> dict[str, float]:
    """Return the seconds of runs that are not finished, from a few steps of each row."""
    missing = [request for request in requests if not is_finished(request)]
    return seconds_of_runs(missing, Machine.shared_by(jobs), say)


def plan(workspace: Workspace) -> int:
    """Print runs, finished runs, multiply-accumulates and hours of a study."""
    options, study = workspace.options, workspace.config.load_study(workspace.options.study)
    settings = _settings(workspace, study.roadmap)
    seeds = options.seeds or study.seeds
    path = study.roadmap
    check_count(len(path.rows), seeds)
    if workspace.start is not None:  # refused here as when it is trained
        workspace.start.check(path)
    requests = [
        Request(settings=settings, row=number, seed=seed)
        for row in path
        for seed in range(seeds)
        for number in (path.trials(row.number) if seed == SEED else (row.number,))
    ]
    jobs = options.jobs or choose_jobs(requests, options.devices)
    records, device = workspace.loaded.records, this_device()
    timed = _timed(requests, jobs) if options.measure else {}
    work = forecast(requests, records, jobs, options.devices, device=device, timed=timed)
    show(in_words(study, work, seeds, jobs))
    runs = {request.identity.run for request in requests}
    copies = sum(record.identity.run in runs for record in workspace.collected)
    if copies:
        say(
            f"{copies} of these have collected records below {options.runs}/ but no run folders: "
            "`roadmap run` with this folder trains them again"
        )
    return DONE
