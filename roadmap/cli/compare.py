"""`roadmap compare`: several roadmaps, studies, data sets, recipes or settings, side by side."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from analysis.compare import Side, compare
from analysis.figures.effects import comparison_drawing, transfer_drawings
from analysis.figures.sheet.style import Drawing, check_look, save
from analysis.measures import Measure
from analysis.selection import data_name, select
from analysis.tables.compare_table import render_comparison
from analysis.tables.render import check_format
from analysis.tables.transfer_table import render_transfer, transfer_apart
from analysis.transfer import Transfer, transfer
from roadmap.cli.console import DONE, say, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem, quoted
from roadmap.tasks import TASKS
from steps.recipes.load import shipped as recipes
from steps.roadmaps.load import SHIPPED as ROADMAPS
from steps.studies.load import shipped

MOST = 12  # sides


def compare_sides(workspace: Workspace) -> int:
    """Print one table and write one figure: all sides against the first one."""
    options = workspace.options
    check_format(options.format)
    check_look(options.width, options.theme)
    if len(options.sides) < 2 or len(set(options.sides)) < len(options.sides):
        raise Problem(
            "compare needs two or more different sides, as in: roadmap compare tiny small"
        )
    made = [_side(workspace, text) for text in options.sides]
    sides, measures = [side for side, _ in made], [measure for _, measure in made]
    sources = [side.source for side in sides]
    if len({measure.key for measure in measures}) > 1:
        return _transfer(transfer(sides, measures, of=options.of), sources, options)
    margin = workspace.config.load_study("path").margin
    shown = compare(sides, of=options.of, margin=margin, measure=measures[0])
    show(render_comparison(shown, options.format))
    return _write([comparison_drawing(shown.judged, sources)], options)


def _transfer(shown: Transfer, sources: Sequence[str], options: argparse.Namespace) -> int:
    """Print and draw sides that are measured differently, each next to the others."""
    show(render_transfer(shown, options.format))
    for line in transfer_apart(shown, options.format):
        say(line)
    return _write(
        transfer_drawings(shown.judged, sources) if shown.judged[0].verdicts else [], options
    )


def _write(drawings: Sequence[Drawing], options: argparse.Namespace) -> int:
    """Write the files of figures and name them."""
    for drawing in drawings:
        for path in save(drawing, options.out, width=options.width, theme=options.theme):
            say(f"wrote {path}")
    return DONE


def _side(workspace: Workspace, text: str) -> tuple[Side, Measure]:
    """Return what a word names, and its measure; several words with commas hold together.

    Raises Problem with all that a side can be if a word names nothing.
    """
    given: dict[str, str] = {}
    settings = list(workspace.options.overrides)
    for word in re.split(r",(?![^\[]*\])", text):
        kind = _kind(workspace, word)
        if kind == "settings":
            settings.append(word)
        elif kind == "measure":
            given[kind] = word.partition("=")[2]
        elif kind in given:
            raise Problem(f"side {quoted(text)} names a {kind} twice")
        else:
            given[kind] = word
    names = ("roadmap", "study", "data", "task", "recipe")
    changed: dict[str, str | None] = {key: given[key] for key in names if key in given}
    if given.get("roadmap", "").endswith(tuple(f":{task}" for task in TASKS)):
        changed.setdefault("task", None)  # the roadmap's name has its own
    measure = given.get("measure", workspace.options.measure)
    own = workspace.replaced(overrides=settings, measure=measure, **changed)
    name = Path(text).stem if Path(text).exists() else text
    side = Side(name=name, selection=select(own.roadmap, workspace.records, own.data))
    return side, own.measure


def _kind(workspace: Workspace, text: str) -> str:
    """Return what a word names: roadmap, study, recipe, data, task, measure or settings."""
    if text.endswith((".yaml", ".yml")):
        keys = _keys(text)
        return "study" if "design" in keys else "roadmap" if "rows" in keys else "recipe"
    if "=" in text:
        return "measure" if text.startswith("measure=") else "settings"
    if text in TASKS:
        return "task"
    plain, colon, task = text.rpartition(":")
    if colon and task in TASKS:
        return _kind(workspace, plain)
    base, at, _ = text.rpartition("@")
    if at and (base in ROADMAPS or base.endswith((".yaml", ".yml"))):
        return "roadmap"  # with a scale; its loader refuses an unknown one
    named = (("roadmap", ROADMAPS), ("study", shipped()), ("recipe", recipes()))
    for kind, known in named:
        if text in known:
            return kind
    names = dict.fromkeys(map(data_name, workspace.records))
    versions = {record.identity.data for record in workspace.records}
    if text in names or text in versions or Path(text).exists():
        return "data"
    valid = ", ".join([*(name for _, known in named for name in known), *names])
    raise Problem(
        f"unknown side {quoted(text)}; valid: a YAML file, a folder of images, "
        f"KEY=VALUE, measure=KEY, ROADMAP@SCALE, ROADMAP:TASK, {', '.join(TASKS)}, {valid}"
    )


def _keys(text: str) -> set[str]:
    """Return the top keys of a YAML file; its loader reads and checks the rest."""
    path = Path(text)
    if not path.is_file():
        raise Problem(f"file {text} does not exist")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {line.partition(":")[0] for line in lines if ":" in line and line[:1].isalpha()}
