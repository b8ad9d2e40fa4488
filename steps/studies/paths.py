"""Designs along the path: each step where it stands, at the end, or at the start."""

from __future__ import annotations

from dataclasses import replace

from roadmap.errors import Problem
from roadmap.rows import Roadmap
from steps.studies.contrast import (
    Contrast,
    Designed,
    Variants,
    composed,
    contrast_between,
    path_changes,
    step_names,
    variant_of,
)


def path(roadmap: Roadmap) -> Designed:
    """Compare each row of the roadmap with the row it starts from."""
    names = step_names([row for row in roadmap if row.before and not row.is_branch])
    contrasts = [
        Contrast(
            step=names.get(row.number, row.number),
            title=row.title,
            group=row.group,
            parts=({row.number: 1.0, row.before.number: -1.0},),
        )
        for row in roadmap
        if row.before
    ]
    asks = "a row minus the row it starts from"
    return Designed(rows=roadmap.rows, contrasts=tuple(contrasts), asks=asks)


def leave_one_out(roadmap: Roadmap) -> Designed:
    """Compare the last row with itself without each step: what the step is worth at the end."""
    changes, base = path_changes(roadmap), roadmap.rows[0]
    names = step_names(changes)
    end = replace(changes[-1], before=None, uses=())
    variants, contrasts, left_out = Variants(), [], {}
    last = variants.add(end)
    for change in changes:
        name, rest = names[change.number], [other for other in changes if other is not change]
        try:
            spec = composed(base.spec, rest)
            title = f"without {change.title}"
            number = variants.add(
                variant_of(change, f"without-{name}", spec, before=end, title=title)
            )
        except Problem as problem:
            left_out[name] = f"cannot be left out: {problem}"
            continue
        contrasts.append(contrast_between(change, last, number, step=name))
    return Designed(
        rows=variants.rows,
        contrasts=tuple(contrasts),
        asks="the end of the path minus the same without the step",
        left_out=left_out,
    )


def one_at_a_time(roadmap: Roadmap) -> Designed:
    """Compare the base with each step alone to the base: what the step is worth at the start."""
    changes, base = path_changes(roadmap), roadmap.rows[0]
    names = step_names(changes)
    variants, contrasts, left_out = Variants(), [], {}
    first = variants.add(base)
    for change in changes:
        name = names[change.number]
        try:
            spec = composed(base.spec, [change])
            number = variants.add(variant_of(change, f"with-{name}", spec, before=base))
        except Problem as problem:
            left_out[name] = f"cannot come first: {problem}"
            continue
        contrasts.append(contrast_between(change, number, first, step=name))
    return Designed(
        rows=variants.rows,
        contrasts=tuple(contrasts),
        asks="the base with the step alone minus the base",
        left_out=left_out,
    )
