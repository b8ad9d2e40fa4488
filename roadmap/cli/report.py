"""`roadmap report`: one HTML page of all results, and tables for papers."""

from __future__ import annotations

from contextlib import suppress

from analysis.report.contents import gather
from analysis.report.page import write_report
from roadmap.cli.console import DONE, show
from roadmap.cli.given import same_options
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from steps.studies.load import shipped
from steps.studies.study import Study


def report(workspace: Workspace) -> int:
    """Write the page and the tables."""
    subject = workspace.subject()
    contents = gather(
        subject,
        _other_studies(workspace),
        all_of_them=bool(workspace.options.studies),
        broken=workspace.loaded.broken,
        given=same_options(workspace),
        goes_on=not workspace.collected,
    )
    for path in write_report(contents, workspace.options.out):
        show(path)
    return DONE


def _other_studies(workspace: Workspace) -> list[Study]:
    """Return the studies asked for, or all shipped ones that fit the roadmap."""
    if workspace.options.studies:
        return [workspace.config.load_study(name) for name in workspace.options.studies]
    studies = []
    for name in shipped():
        with suppress(Problem):  # for example a sweep of rows that this roadmap does not have
            studies.append(workspace.config.load_study(name))
    return [study for study in studies if study.design != "path"]
