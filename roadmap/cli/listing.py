"""`roadmap list`: roadmaps, their papers and exactness, studies, recipes and scales."""

from __future__ import annotations

import textwrap
from typing import Any

from analysis.tables.costs import cost_rows
from roadmap.cli.console import DONE, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from roadmap.json_text import json_text
from roadmap.rows import Roadmap
from roadmap.scale import SCALES
from roadmap.spec import Network
from roadmap.timm_names import timm_names
from steps.recipes.load import SHIPPED as RECIPES
from steps.roadmaps.load import SHIPPED, load_roadmap
from steps.studies.load import shipped


def list_all(workspace: Workspace) -> int:
    """Print all roadmaps, studies, recipes and scales."""
    listed = {
        "roadmaps": [described(load_roadmap(name)) for name in SHIPPED],
        "studies": shipped(),
        "recipes": sorted(path.stem for path in RECIPES.glob("*.yaml")),
        "scales": list(SCALES),
    }
    as_json = workspace.options.json
    show(json_text(listed) if as_json else _text(listed))
    return DONE


def described(roadmap: Roadmap) -> dict[str, Any]:
    """Return a roadmap's rows, data and paper, and how many printed costs its rows meet.

    `in_timm` counts the rows that are networks of timm; their weights load both ways.
    """
    costs = cost_rows(roadmap)
    compared = [row for row in costs if row["matches_paper"] is not None]
    return {
        "name": roadmap.name,
        "title": roadmap.title,
        "rows": len(roadmap.rows),
        "data": roadmap.data,
        "paper": roadmap.paper.source if roadmap.paper else None,
        "own_paper": roadmap.paper_path is not None,
        "printed_costs": len(compared),
        "met": sum(row["matches_paper"] for row in compared),
        "not_met": [row["row"] for row in compared if not row["matches_paper"]],
        "tasks": {
            name: {"data": task.data, "drop_path": task.drop_path}
            for name, task in roadmap.tasks.items()
        },
        "in_timm": sum(_in_timm(row.spec.network) for row in roadmap),
    }


def _in_timm(network: object) -> bool:
    if not isinstance(network, Network):
        return True
    try:
        timm_names(network)
    except Problem:
        return False
    return True


def _text(listed: dict[str, Any]) -> str:
    lines = ["roadmaps (--roadmap NAME):"]
    for one in listed["roadmaps"]:
        lines.append(f"  {one['name']:16} {one['rows']:>3} rows   {one['title']}")
        if one["paper"]:
            own = "" if one["own_paper"] else "compared with "
            lines += _wrapped(f"{own}{one['paper']}", indent=19)
        if one["printed_costs"]:
            exact = f"{one['met']} of {one['printed_costs']} printed costs met"
            missed = ", ".join(one["not_met"])
            lines += _wrapped(exact + (f", not {missed} (see cost)" if missed else ""), indent=19)
        if one["tasks"]:
            tasks = (
                name + (f" on {task['data']}" if task["data"] else "")
                for name, task in one["tasks"].items()
            )
            lines += _wrapped(f"--task: {', '.join(tasks)}", indent=19)
        if one["in_timm"]:
            count = one["in_timm"]
            lines.append(
                f"  {'':16} {count} row{'s' * (count > 1)} with the layers of timm's models"
            )
    for what, option in (("studies", "run NAME"), ("recipes", ""), ("scales", "--scale NAME")):
        lines += ["", f"{what}{f' ({option})' if option else ''}:"]
        lines += _wrapped(", ".join(listed[what]), indent=2)
    return "\n".join(lines)


def _wrapped(text: str, *, indent: int) -> list[str]:
    """Return the lines of a text for a terminal of 80 columns."""
    space = " " * indent
    return textwrap.wrap(text, 79, initial_indent=space, subsequent_indent=space)
