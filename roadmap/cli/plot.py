"""`roadmap plot`: figures as files."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.figures.drawn import Files, key_of
from analysis.figures.gallery import FIGURES, NEED_NO_RUNS, drawings
from analysis.figures.sheet.style import Drawing, check_look, paths_of, save
from analysis.subject import Subject
from roadmap.cli.console import DONE, say, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem, unknown


def plot(workspace: Workspace) -> int:
    """Draw one figure or all of them."""
    options = workspace.options
    names = list(FIGURES) if options.figure is None else [options.figure]
    for name in names:
        if name not in FIGURES:
            raise unknown("figure", name, FIGURES)
    if options.row is not None and names != ["block"]:
        raise Problem("--row is for the block of one row: roadmap plot block --row ROW")
    check_look(options.width, options.theme)
    known = Files.of(options.out)
    subject = workspace.subject(say_none=not set(names) <= NEED_NO_RUNS)
    if "roadmap" in names:
        for note in subject.table.notes:
            say(note)
    for name in names:
        drawn = drawings(name, subject)
        if not drawn:
            say(f"figure {name} is left out: it needs {FIGURES[name].needs}")
        for drawing in drawn:
            for path in _written(drawing, subject, options, known):
                show(path)
    return DONE


def _written(
    drawing: Drawing, subject: Subject, options: argparse.Namespace, known: Files
) -> list[Path]:
    """Return the files of a figure; write them unless they are there and unchanged."""
    key = [key_of(drawing, subject), options.width, options.theme]
    paths = paths_of(drawing, options.out)
    if not known.has(paths, key):
        paths = save(drawing, options.out, width=options.width, theme=options.theme)
        known.add(paths, key)
    return paths
