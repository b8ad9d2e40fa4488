"""One row in words: what its step does and why, what changed in the spec, what it costs."""

from __future__ import annotations

import textwrap

from analysis.cells import signed
from analysis.costs import cost_rows
from roadmap.text import difference, meaningful
from steps.path import Roadmap, Row

WIDTH = 80


def explain(roadmap: Roadmap, row: Row) -> str:
    """A row of a roadmap, explained in at most 80 columns."""
    costs = {each["row"]: each for each in cost_rows(roadmap)}
    parts = [
        f"{row.number} {row.step}: {row.title} ({row.group}), roadmap {roadmap.name}",
        _paragraphs(row.explanation),
        _paper(costs, row),
        _changes(row),
        _costs(costs, row),
    ]
    return "\n\n".join(part for part in parts if part)


def _paragraphs(text: str) -> str:
    paragraphs = (textwrap.fill(" ".join(each.split()), WIDTH) for each in text.split("\n\n"))
    return "\n\n".join(paragraphs)


def _paper(costs: dict, row: Row) -> str:
    own = costs[row.number]
    if own["paper_top1"] is None:
        return ""
    text = f"The paper's: {own['paper_top1']:.2f} % top-1 on ImageNet-1K"
    before = costs[row.before.number]["paper_top1"] if row.before else None
    if before is not None:
        text += f" ({signed(own['paper_top1'] - before, 2)} from row {row.before.number})"
    text += f", {own['paper_gflops']:.2f} GFLOPs."
    if own["note"]:
        text += f" Note: {own['note']}."
    return textwrap.fill(text, WIDTH)


def _changes(row: Row) -> str:
    if row.before is None:
        return "\n".join(["Spec:", *_wrapped("  " + line for line in meaningful(row.spec))])
    changed = difference(row.before.spec, row.spec) or [
        "  nothing: what the step would change is there already, or is not in this spec"
    ]
    return "\n".join([f"Spec, against row {row.before.number}:", *_wrapped(changed)])


def _wrapped(found) -> list[str]:
    return [textwrap.fill(line, WIDTH, subsequent_indent="      ") for line in found]


def _costs(costs: dict, row: Row) -> str:
    own = costs[row.number]
    shown = [
        f"{'':14}{'this row':>16}" + (f"{'row ' + row.before.number:>16}" if row.before else "")
    ]
    for name, key in (("MACs", "macs"), ("parameters", "params"), ("activations", "activations")):
        line = f"  {name:12}{own[key]:>16,}"
        if row.before:
            before = costs[row.before.number][key]
            line += f"{before:>16,}  {signed(100 * (own[key] / before - 1), 1):>7} %"
        shown.append(line)
    size, classes = row.spec.recipe.image_size, row.spec.network.classes
    return f"Cost of one image of {size} pixels, {classes} classes:\n" + "\n".join(shown)
