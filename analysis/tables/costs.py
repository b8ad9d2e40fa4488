"""The cost of every row of a roadmap, next to the paper's figures."""

from __future__ import annotations

import textwrap
from typing import Any

from roadmap.cost import Cost
from roadmap.errors import visible
from roadmap.heads import TaskCost, spec_cost
from roadmap.paper import printed
from roadmap.rows import Roadmap, Row
from roadmap.tasks import Detection, Task
from roadmap.text import counted


def cost_rows(roadmap: Roadmap, image_size: int | None = None) -> list[dict[str, Any]]:
    """Return one object per row: MACs (`gmacs` = 1e9), parameters, activations, the paper's.

    `image_size` is in pixels, by default the recipe's. `matches_paper` says whether the GMACs equal
    the paper's to its printed decimals. It is None for a row without a printed cost, or not at the
    paper's image size and classes. If the recipe has a task, the numbers are of backbone and head,
    for the task's `cost_size` by default. `task`, `size` (height, width), `backbone` and `head`
    then follow.
    """
    return [_cost_row(roadmap, row, image_size) for row in roadmap]


def _cost_row(roadmap: Roadmap, row: Row, image_size: int | None) -> dict[str, Any]:
    network, recipe = row.spec.network, row.spec.recipe
    own = spec_cost(row.spec, image_size)
    table, paper = roadmap.paper, printed(roadmap.paper, row.number, row.step)
    comparable = (
        table is not None
        and recipe.task is None
        and roadmap.paper_path is not None
        and (image_size or recipe.image_size, network.classes) == (table.image_size, table.classes)
    )
    made = {
        "row": row.number,
        "step": row.step,
        "title": row.title,
        "group": row.group,
        "macs": own.macs,
        "gmacs": own.macs / 1e9,
        "params": own.params,
        "activations": own.activations,
        "paper_gflops": paper.gflops if paper else None,
        "paper_top1": paper.top1 if paper else None,
        "matches_paper": paper.agrees(own.macs / 1e9)
        if paper and paper.cost and comparable
        else None,
        "note": paper.note if paper and (comparable or not paper.computed) else "",
    }
    if isinstance(own, TaskCost):
        made |= {"task": recipe.task_name, "size": list(own.size)}
        made |= {"backbone": _numbers(own.backbone), "head": _numbers(own.head)}
    return made


def _numbers(part: Cost) -> dict[str, int]:
    return {"macs": part.macs, "params": part.params, "activations": part.activations}


def cost_table(rows: list[dict[str, Any]], roadmap: Roadmap, image_size: int | None = None) -> str:
    """Return the same as a table of at most 80 columns."""
    spec = roadmap.rows[-1].spec
    if spec.recipe.task is not None:
        return _task_table(rows, roadmap, spec.recipe.task)
    image_size, classes = image_size or spec.recipe.image_size, spec.network.classes
    small = max(row["gmacs"] for row in rows) < 1
    lines = [
        f"{roadmap.title}: cost of one image of {image_size} pixels, {counted(classes, 'class')}",
        "",
    ]
    heading = (
        f"{'row':6} {'step':25} {'GMACs':>8} {'paper':>6}   {'parameters':>11} {'activations':>11}"
    )
    lines += [heading, "-" * len(heading)]
    marks = {True: "=", False: "≠", None: " "}
    for row in rows:
        gmacs = f"{row['gmacs']:.4f}" if small else f"{row['gmacs']:.2f}"
        line = printed(roadmap.paper, row["row"], row["step"])
        paper = line.cost if line else ""
        lines.append(
            f"{row['row']:6} {row['title'][:25]:25} {gmacs:>8} {paper:>6} "
            f"{marks[row['matches_paper']]} {row['params']:>11,} {row['activations']:>11,}"
        )
    lines += ["", "GMACs: 1e9 multiply-accumulates of convolution and linear weights."]
    if any(row["matches_paper"] is not None for row in rows):
        differing = any(row["matches_paper"] is False for row in rows)
        lines.append(
            f"= agrees with the paper to its {_decimals(roadmap)}" + ("; ≠ does not:" * differing)
        )
        lines += [f"  {row['row']}: {row['note']}" for row in rows if row["matches_paper"] is False]
    elif roadmap.paper and any(row["paper_gflops"] for row in rows):
        shown = f"{roadmap.paper.image_size} px with {roadmap.paper.classes} classes"
        lines.append(f"paper: its own, larger network at {shown}.")
    return "\n".join(_folded(visible(line)) for line in lines)


def _task_table(rows: list[dict[str, Any]], roadmap: Roadmap, task: Task) -> str:
    """Return the costs of backbones and heads as a table."""
    shown, classes = size_in_words(rows[-1]), roadmap.rows[-1].spec.network.classes
    kind = task.detection if isinstance(task, Detection) else task.segmentation
    decimals = 4 if max(row["gmacs"] for row in rows) < 1 else 2
    heading = (
        f"{'row':6} {'step':25} {'GMACs':>9} {'of head':>9}   {'parameters':>11} {'of head':>11}"
    )
    lines = [f"{roadmap.title}: cost of one image of {shown}, {counted(classes, 'class')}"]
    lines += [f"{rows[-1]['task']} with {kind}, backbone and head", "", heading, "-" * len(heading)]
    for row in rows:
        gmacs, head = (f"{n / 1e9:.{decimals}f}" for n in (row["macs"], row["head"]["macs"]))
        lines.append(
            f"{row['row']:6} {row['title'][:25]:25} {gmacs:>9} {head:>9}   "
            f"{row['params']:>11,} {row['head']['params']:>11,}"
        )
    lines += [
        "",
        "GMACs: 1e9 multiply-accumulates of convolution and linear weights, in inference.",
    ]
    if isinstance(task, Detection):
        masks = f", the mask head {counted(task.detections, 'region')}" * task.has_masks
        lines.append(f"The box head counts {counted(task.proposals[1], 'region')}{masks}.")
    elif task.auxiliary:
        lines.append("The auxiliary head has parameters, but no GMACs: only training uses it.")
    return "\n".join(_folded(visible(line)) for line in lines)


def size_in_words(row: dict[str, Any]) -> str:
    """Return the size of the image that an object of `cost_rows` with a task is for."""
    height, width = row["size"]
    return f"{height} × {width} pixels"


def _decimals(roadmap: Roadmap) -> str:
    costs = (row.cost for row in roadmap.paper.rows.values()) if roadmap.paper else ()
    most = max((len(cost.partition(".")[2]) for cost in costs), default=2)
    return "two decimals" if most == 2 else f"{most} decimal{'s' * (most != 1)}"


def _folded(line: str) -> str:
    """Break a line that is longer than 80 columns at spaces."""
    if len(line) <= 80:
        return line
    return "\n".join(textwrap.wrap(line, 80, subsequent_indent="      "))
