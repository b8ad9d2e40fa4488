"""One row in words: what its step does and why, what changed in the spec, what it costs."""

from __future__ import annotations

import textwrap

from analysis.tables.cells import signed
from analysis.tables.costs import cost_rows, size_in_words
from roadmap.errors import visible
from roadmap.paper import Paper, printed
from roadmap.rows import Roadmap, Row
from roadmap.text import counted, difference, meaningful

WIDTH = 80


def explain(roadmap: Roadmap, row: Row) -> str:
    """Return the explanation of a row of a roadmap, in at most 80 columns."""
    costs = {row_costs["row"]: row_costs for row_costs in cost_rows(roadmap)}
    parts = [
        f"{row.number} {row.step}: {row.title} ({row.group}), roadmap {roadmap.name}",
        _paragraphs(row.explanation),
        textwrap.fill(paper_words(costs, row, roadmap.paper), WIDTH),
        _changes(row),
        _costs(costs, row),
    ]
    text = "\n\n".join(part for part in parts if part)
    return "\n".join(map(visible, text.split("\n")))


def _paragraphs(text: str) -> str:
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    return "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)


def paper_words(costs: dict, row: Row, paper: Paper | None) -> str:
    """Say what the paper prints for this row, as printed; empty if it has no such row."""
    own, line = costs[row.number], printed(paper, row.number, row.step)
    if paper is None or line is None:
        return ""
    parts = []
    if line.top1 is not None:
        text = f"{line.top1:.{paper.decimals}f} % top-1 on {paper.data}"
        before = costs[row.before.number]["paper_top1"] if row.before else None
        if row.before and before is not None:
            gain = signed(line.top1 - before, paper.decimals)
            text += f" ({gain} from row {row.before.number})"
        parts.append(text)
    parts += [f"{line.cost} {paper.unit}"] * bool(line.cost)
    parts += [f"{number} {what}" for what, number in line.others.items() if number]
    if not parts:
        return ""
    text = f"The paper's: {', '.join(parts)}."
    if own["note"]:
        text += f" Note: {own['note']}."
    return text


def changes(row: Row) -> tuple[str, list[str]]:
    """Return a heading and the changed lines of a row's spec; for the base, all lines."""
    if row.before is None:
        return "Spec", ["  " + line for line in meaningful(row.spec)]
    changed = difference(row.before.spec, row.spec) or [
        "  nothing: what the step would change is there already, or is not in this spec"
    ]
    return f"Spec, against row {row.before.number}", changed


def cost_lines(costs: dict, row: Row) -> list[tuple[str, ...]]:
    """Return MACs, parameters and activations of this row, of the row before, and the change."""
    own = costs[row.number]
    lines: list[tuple[str, ...]] = []
    for name, key in (("MACs", "macs"), ("parameters", "params"), ("activations", "activations")):
        line: tuple[str, ...] = (name, f"{own[key]:,}")
        if row.before:
            before = costs[row.before.number][key]
            line += (f"{before:,}", f"{signed(100 * (own[key] / before - 1), 1)} %")
        lines.append(line)
    return lines


def _changes(row: Row) -> str:
    heading, changed = changes(row)
    wrapped = [textwrap.fill(line, WIDTH, subsequent_indent="      ") for line in changed]
    return "\n".join([f"{heading}:", *wrapped])


def _costs(costs: dict, row: Row) -> str:
    shown = [
        f"{'':14}{'this row':>16}" + (f"{'row ' + row.before.number:>16}" if row.before else "")
    ]
    for name, own, *rest in cost_lines(costs, row):
        line = f"  {name:12}{own:>16}"
        if rest:
            line += f"{rest[0]:>16}  {rest[1]:>9}"
        shown.append(line)
    size, classes = f"{row.spec.recipe.image_size} pixels", row.spec.network.classes
    if row.spec.recipe.task is not None:
        size = f"{size_in_words(costs[row.number])} with the head"
    return f"Cost of one image of {size}, {counted(classes, 'class')}:\n" + "\n".join(shown)
