"""The design `details`: questions that the path does not ask of its rows."""

from __future__ import annotations

from roadmap.errors import Problem
from roadmap.rows import Roadmap, Row
from steps.studies.contrast import (
    Contrast,
    Designed,
    Variants,
    contrast_between,
    variant_of,
)


def details(roadmap: Roadmap) -> Designed:
    """Compare each row with its side branches, and take rows of several steps apart.

    The path compares a side branch with the row that both start from: kernel 7 and kernel 5 with
    kernel 3. Here kernel 7 is compared with kernel 5. A row of several steps becomes one contrast
    for each step, in the order in which the row applies them.
    """
    variants = Variants()
    contrasts = [*_branches(roadmap, variants), *_parts(roadmap, variants)]
    if not contrasts:
        raise Problem(
            f"roadmap {roadmap.name!r} has neither side branches nor rows of several steps"
        )
    return Designed(
        rows=variants.rows,
        contrasts=tuple(contrasts),
        asks="a row minus its side branch, or a part of a row minus what is before it",
    )


def _branches(roadmap: Roadmap, variants: Variants) -> list[Contrast]:
    contrasts = []
    for branch in roadmap:
        if branch.is_branch:
            main = roadmap[branch.number.partition("-")[0]]
            name = f"{main.step}-{branch.number.partition('-')[2]}"
            title = f"{main.title}, not {branch.title}"
            plus, minus = variants.add(_alone(main)), variants.add(_alone(branch))
            contrasts.append(contrast_between(main, plus, minus, step=name, title=title))
    return contrasts


def _parts(roadmap: Roadmap, variants: Variants) -> list[Contrast]:
    contrasts = []
    for row in roadmap:
        if row.before is None or row.is_branch or len(row.uses) < 2:
            continue
        before, spec = variants.add(_alone(row.before)), row.before.spec
        for place, use in enumerate(row.uses, start=1):
            spec = use.step.apply(spec, **use.parameters)
            last = place == len(row.uses)
            number = row.number if last else f"{row.number}-part{place}"
            title = use.step.title.format(**use.parameters)
            made = variant_of(row, number, spec, title=title, step=use.step.name)
            after = variants.add(_alone(row) if last else made)
            name = use.step.name
            if any(name == other.step for other in contrasts):
                name = f"{name}-{number}"
            contrasts.append(contrast_between(row, after, before, step=name, title=made.title))
            before = after
    return contrasts


def _alone(row: Row) -> Row:
    return variant_of(row, row.number, row.spec)
