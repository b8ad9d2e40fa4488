"""The options with which another command takes the same roadmap, data and runs."""

from __future__ import annotations

from analysis.subject import Subject
from analysis.tables.terminal import folded
from analysis.verdicts.answer import Asked, answers
from roadmap.cli.workspace import DEFAULT_RUNS, Workspace


def same_options(workspace: Workspace) -> list[str]:
    """Return the options that another command needs for the same roadmap, data and runs."""
    options = workspace.options
    trained_on = {record.asked.data if record.asked else None for record in workspace.records}
    data = options.data or (trained_on.pop() if len(trained_on) == 1 else None)
    words: list[str] = []
    names = ("roadmap", "scale", "task", "steps", "recipe")
    rows = [(name, getattr(options, name, None)) for name in names]
    for name, value in (*rows, ("data", data)):
        words += [f"--{name}", str(value)] if value is not None else []
    words += [word for setting in options.overrides for word in ("--set", setting)]
    return words + (["--runs", str(options.runs)] if options.runs != DEFAULT_RUNS else [])


def answer_lines(workspace: Workspace, subject: Subject) -> list[str]:
    """Return the answer to the study of a command in words, in lines for a terminal."""
    asked = asked_of(workspace, workspace.options.study)
    found = answers(subject.judged, subject.study, subject.selection, asked)
    return [folded(str(answer)) for answer in found]


def asked_of(workspace: Workspace, study: str | None) -> Asked:
    """Return what a command on a study needs; `study` is its name or file, `path` by default."""
    return Asked(
        study="" if study == "path" else study,
        given=tuple(same_options(workspace)),
        can_run=not workspace.collected,
    )
