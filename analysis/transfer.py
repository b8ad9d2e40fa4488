"""Sides with different measures: do steps that gain in classification gain in detection too?

Points of top-1 and of box AP cannot be subtracted. Each side has its own effects with intervals.
Pairs of sides are compared by the order of their effects: Spearman's rank correlation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from analysis.compare import Of, Side
from analysis.measures import Measure
from analysis.selection import data_name
from analysis.verdicts.agreement import rank_correlation
from analysis.verdicts.diverged import diverged_runs
from analysis.verdicts.judge import judge
from analysis.verdicts.runs import (
    count_looks,
    looks_note,
    measured_runs,
    right_images,
    samples_of,
)
from analysis.verdicts.statistics import Sample
from analysis.verdicts.verdict import Judged, Verdict
from roadmap.errors import Problem
from roadmap.rows import Row
from roadmap.text import counted
from steps.studies.contrast import Contrast

Key = tuple[str, str]  # number and step of a row


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row or step: by side the runs of the row, or the verdict on what its step adds."""

    row: str
    title: str
    group: str
    samples: tuple[Sample, ...]
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pair:
    """How two sides agree; `same` counts the steps that gain, or lose, on both.

    `correlation` is None for fewer than four lines. Only that of steps has an interval: a row
    contains the rows before it, so rows are no independent pairs.
    """

    first: str
    other: str
    of: Of
    lines: int
    same: int | None
    correlation: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """All lines, the measure and the unit of each side, and how each pair of sides agrees."""

    sides: tuple[str, ...]
    measures: tuple[Measure, ...]
    of: Of
    lines: tuple[Line, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]
    judged: tuple[Judged, ...]  # of each side, for figures


def transfer(
    sides: Sequence[Side], measures: Sequence[Measure], *, of: Of | None = None
) -> Transfer:
    """Return the effects of steps on each side by its own measure, and how their orders agree.

    Lines are rows if `of` says so, or if no step has runs of both its rows on all sides. Raises
    Problem if a side has no runs, if no row has runs on all sides, or if `of` asks for steps and
    there are none.
    """
    samples = [_samples(side, measure) for side, measure in zip(sides, measures, strict=True)]
    rows = [side.rows for side in sides]
    shared = [key for key in rows[0] if all(key in own for own in rows)]
    shared = [key for key in shared if all(key[0] in own for own in samples)]
    if not shared:
        names = ", ".join(side.name for side in sides)
        raise Problem(f"{names} have no row in common with runs on each side")
    steps, left_out = _steps(shared, rows, samples)
    judged = [_judged(*given, steps) for given in zip(sides, measures, rows, strict=True)]
    verdicts = [{verdict.step: verdict for verdict in one.verdicts} for one in judged]
    by_row = [_line(key, rows[0], samples) for key in shared]
    by_step = [
        _line(key, rows[0], samples, tuple(own[key[0]] for own in verdicts)) for key in steps
    ]
    if of == "steps" and not steps:
        names = ", ".join(side.name for side in sides)
        raise Problem(
            f"{names} have no step in common with runs of both its rows on each side; "
            "compare rows with --of rows"
        )
    of = of or ("steps" if steps else "rows")
    return Transfer(
        sides=tuple(side.name for side in sides),
        measures=tuple(measures),
        of=of,
        lines=tuple(by_row if of == "rows" else by_step),
        pairs=tuple(_pairs(sides, measures, by_step, by_row)),
        notes=(
            *_about(sides, measures),
            *(f"{why}, left out: {', '.join(numbers)}" for why, numbers in left_out.items()),
            *(note for one in judged for note in one.notes),
            *_missing(rows, shared),
        ),
        judged=tuple(judged),
    )


def _samples(side: Side, measure: Measure) -> dict[str, Sample]:
    samples = samples_of(measured_runs(side.selection, measure), measure)
    if not samples:
        raise Problem(
            f"{side.name!r} has no finished runs with {measure.key}; train them with `roadmap run`"
        )
    return samples


def _steps(
    shared: Sequence[Key],
    rows: Sequence[Mapping[Key, Row]],
    samples: Sequence[Mapping[str, Sample]],
) -> tuple[list[Key], dict[str, list[str]]]:
    """Return the steps whose two rows have runs on all sides, and why others are no such step."""
    steps: list[Key] = []
    left_out: dict[str, list[str]] = {}
    for key in shared:
        pairs = [(own[key], before) for own in rows if (before := own[key].before) is not None]
        if len(pairs) < len(rows) or any(
            before.number not in own for (_, before), own in zip(pairs, samples, strict=True)
        ):
            continue
        if any(row.spec == before.spec for row, before in pairs):
            left_out.setdefault("changes nothing on one side", []).append(key[0])
        elif len({row.spec.recipe == before.spec.recipe for row, before in pairs}) > 1:
            left_out.setdefault("changes the recipe on one side alone", []).append(key[0])
        else:
            steps.append(key)
    return steps, left_out


def _judged(side: Side, measure: Measure, rows: Mapping[Key, Row], steps: Sequence[Key]) -> Judged:
    """Return the verdict on each step of a side; its name is the number of its row."""
    contrasts = [
        Contrast(
            step=row.number,
            title=row.title,
            group=row.group,
            parts=({row.number: 1.0, row.before.number: -1.0},),
        )
        for row in map(rows.__getitem__, steps)
        if row.before is not None
    ]
    runs = measured_runs(side.selection, measure)
    margin = (side.selection.roadmap.margin or 0.0) if measure.is_percentage else 0.0
    looks = count_looks(contrasts, runs)
    verdicts = judge(
        contrasts,
        samples_of(runs, measure),
        margin,
        right_images(runs, measure),
        looks,
        measure=measure,
        diverged=diverged_runs(side.selection),
    )
    return Judged(
        name=side.name,
        title=side.name,
        data=data_name(side.selection.runs[0]),
        margin=margin,
        asks="a row minus the row it starts from",
        verdicts=verdicts,
        measure=measure,
        notes=tuple(f"side {side.name}: {note}" for note in looks_note(looks)),
        new_images=any(verdict.images_low is not None for verdict in verdicts),
        numbers={contrast.step: contrast.step for contrast in contrasts},
    )


def _line(
    key: Key,
    rows: Mapping[Key, Row],
    samples: Sequence[Mapping[str, Sample]],
    verdicts: tuple[Verdict, ...] = (),
) -> Line:
    row = rows[key]
    return Line(
        row=row.number,
        title=row.title,
        group=row.group,
        samples=tuple(own[row.number] for own in samples),
        verdicts=verdicts,
    )


def _pairs(
    sides: Sequence[Side],
    measures: Sequence[Measure],
    by_step: Sequence[Line],
    by_row: Sequence[Line],
) -> Iterator[Pair]:
    """Yield how each two sides agree, of steps and of rows; gains count as positive."""
    signs = [1 if measure.better == "higher" else -1 for measure in measures]
    for one, two in combinations(range(len(sides)), 2):
        names = sides[one].name, sides[two].name
        steps = [
            [signs[place] * (line.verdicts[place].difference or 0.0) for line in by_step]
            for place in (one, two)
        ]
        rows = [
            [signs[place] * line.samples[place].mean for line in by_row] for place in (one, two)
        ]
        yield _pair(*names, "steps", *steps)
        yield _pair(*names, "rows", *rows)


def _pair(first: str, other: str, of: Of, ours: Sequence[float], theirs: Sequence[float]) -> Pair:
    ranked = rank_correlation(ours, theirs)
    correlation, interval = ranked or (None, None)
    low, high = interval if interval and of == "steps" else (None, None)
    same = sum(one * two > 0 for one, two in zip(ours, theirs, strict=True))
    return Pair(
        first=first, other=other, of=of, lines=len(ours), same=same if of == "steps" else None,
        correlation=correlation, low=low, high=high,
    )  # fmt: skip


def _about(sides: Sequence[Side], measures: Sequence[Measure]) -> Iterator[str]:
    for side, measure in zip(sides, measures, strict=True):
        runs = side.selection.runs
        sizes = f" ({side.selection.sizes})" if side.selection.sizes else ""
        yield (
            f"side {side.name}: {measure.label}, {counted(len(runs), 'run')} on "
            f"{data_name(runs[0])}{sizes}"
        )


def _missing(rows: Sequence[Mapping[Key, Row]], shared: Sequence[Key]) -> Iterator[str]:
    found = dict.fromkeys(key for own in rows for key in own if key not in shared)
    if found:
        yield f"not on all sides, left out: {', '.join(number for number, _ in found)}"
