"""The commands that the report recommends."""

from __future__ import annotations

import shlex

from analysis.report.contents import Contents
from analysis.verdicts.verdict import UNDECIDED


def next_commands(contents: Contents) -> list[tuple[str, str]]:
    """Return commands that would tell more, each with what it does, the most useful first."""
    if not contents.goes_on:
        return []
    given = list(contents.given)
    if contents.subject.roadmap.data is None and "--data" not in given:
        given += ["--data", "DATA"]
    commands: list[tuple[str, str]] = []

    def add(why: str, *words: str) -> None:
        commands.append((shlex.join(["roadmap", *words, *given]), why))

    rows = [row for row in contents.subject.table.rows if row.group != "reference"]
    missing = [row.row for row in rows if not row.n and not row.branch and not row.diverged]
    if not contents.has_runs and missing:
        add("estimate runs, MACs and hours", "plan", "path")
        add("train every row once", "run")
    elif missing:
        add("train the rows that have no run", "run", "--rows", ",".join(missing))
    verdicts = contents.subject.judged.verdicts
    if any(row.n == 1 for row in rows):
        why = "train three seeds per row: with one seed there is no spread and no verdict"
        add(why, "run", "path", "--seeds", "3")
    elif contents.has_runs and any(one.verdict.startswith(UNDECIDED) for one in verdicts):
        add("add seeds to rows whose verdicts are undecided", "run", "path", "--until-decided")
    if contents.has_runs and not contents.studies:
        add("measure what each step is worth at the end", "run", "leave-one-out")
    return commands
