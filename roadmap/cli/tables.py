"""`roadmap table`, `roadmap verdicts` and `roadmap collect`: records as numbers."""

from __future__ import annotations

from analysis.selection import named, select
from analysis.tables.render import apart, check_format, render
from analysis.tables.table import tabulate
from analysis.tables.verdict_table import render_verdicts, verdicts_apart
from analysis.verdicts.paper import judge_paper
from roadmap.cli.console import DONE, say, show
from roadmap.cli.given import answer_lines
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from roadmap.record import write_record
from roadmap.speed import write_speed


def table(workspace: Workspace) -> int:
    """Print accuracy and cost of every row."""
    format = workspace.options.format
    check_format(format)
    roadmap, measure = workspace.roadmap, workspace.measure
    records = workspace.records_or_say_none()
    selection = select(roadmap, records, workspace.data, unfinished=workspace.unfinished)
    made = tabulate(
        roadmap,
        selection,
        measure=measure,
        paper=workspace.options.paper,
        speeds=workspace.speeds,
    )
    show(render(made, format))
    for note in apart(made, format):
        say(note)
    return DONE


def verdicts(workspace: Workspace) -> int:
    """Print what each step of a study is worth."""
    format = workspace.options.format
    check_format(format)
    if workspace.options.study == "paper":
        roadmap = workspace.options.roadmap or "resnet50"
        study = workspace.replaced(study="path", roadmap=roadmap).config.load_study("path")
        if study.roadmap.paper is None:
            raise Problem(f"roadmap {roadmap!r} names no table of a paper")
        if not study.contrasts:
            say(
                f"roadmap {roadmap!r} is a family: no row starts from another, so no step is judged"
            )
        judged = judge_paper(study, study.roadmap.paper)
    else:
        subject = workspace.subject()
        judged = subject.judged
        if format == "terminal":
            show("\n".join([*answer_lines(workspace, subject), ""]))
    show(render_verdicts(judged, format))
    for note in verdicts_apart(judged, format):
        say(note)
    return DONE


def collect(workspace: Workspace) -> int:
    """Copy the records of a roadmap or a study, under readable names."""
    options, roadmap = workspace.options, workspace.roadmap
    selection = select(roadmap, workspace.records, workspace.data)
    for note in selection.notes:
        say(note)
    runs = named(roadmap, selection)
    if not runs:
        raise Problem(
            f"no record in {options.runs} fits roadmap {roadmap.name!r} as it is set here"
        )
    options.out.mkdir(parents=True, exist_ok=True)
    for name, record in runs.items():
        target = options.out / f"{name}.json"
        write_record(record, target)
        show(target)
    for speed in workspace.speeds.by_key.values():
        if speed.label.roadmap == roadmap.name:
            show(write_speed(speed, options.out))
    return DONE
