"""`roadmap cost` and `roadmap show`: rows without training."""

from __future__ import annotations

from analysis.tables.costs import cost_rows, cost_table
from analysis.tables.explanation import explain
from roadmap.cli.console import DONE, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from roadmap.json_text import json_text
from roadmap.override import override


def cost(workspace: Workspace) -> int:
    """Print what each row costs."""
    options, roadmap = workspace.options, workspace.roadmap
    if options.classes:
        roadmap = roadmap.with_classes(options.classes)
    rows = cost_rows(roadmap, options.image_size)
    if options.json:
        show(json_text(rows))
    else:
        show(cost_table(rows, roadmap, options.image_size))
    return DONE


def show_row(workspace: Workspace) -> int:
    """Explain one row."""
    row = workspace.roadmap[workspace.options.row]
    check_effect(workspace)
    show(explain(workspace.roadmap, row))
    return DONE


def check_effect(workspace: Workspace) -> None:
    """Raise Problem for a setting that has no effect on the one row that is asked for."""
    name = workspace.options.row
    if not name.startswith("timm:"):
        override(workspace.config.roadmap_as_read[name].spec, workspace.overrides)
        return
    for key in workspace.overrides:
        if key.startswith("network.") and key not in ("network.drop_path", "network.classes"):
            raise Problem(f"{key} has no effect on {name}: timm defines the network")
