"""Compare sides row by row: roadmaps, data sets, recipes, studies, settings.

A side is a roadmap with its runs on one data set. Rows are the same if number and step are. Each
other side is compared with the first one, by the rules of verdicts: a difference has a 95 %
interval, and p is adjusted by Holm over all lines of the comparison.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.measures import TOP1, Measure
from analysis.selection import Selection, data_name, source_of
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
from roadmap.group import Group
from roadmap.record import Record
from roadmap.rows import Row
from roadmap.text import counted
from steps.studies.contrast import Contrast

Of = Literal["rows", "steps"]
COLOURS = ("#332288", "#AA4499", "#44AA99", "#DDCC77", "#882255", "#88CCEE")  # of sides


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side: its name, and the runs of each row of its roadmap on one data set."""

    name: str
    selection: Selection

    @property
    def data(self) -> str:
        """The data set and its version; sides with the same one share validation images."""
        runs = self.selection.runs
        return runs[0].identity.data if runs else ""

    @property
    def source(self) -> str:
        """The name, the number of runs and their fingerprint."""
        return f"{self.name}: {source_of(self.selection.roadmap, self.selection)}"

    @property
    def rows(self) -> dict[tuple[str, str], Row]:
        """The rows that have runs, by number and step."""
        found = {(row.number, row.step): row for row in self.selection.roadmap}
        return {key: row for key, row in found.items() if self.selection.rows.get(row.number)}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One line: a row of a side next to the same row of the first side.

    `first` and `other` are what is compared: the row's runs, or what its step adds (n is then the
    smaller number of runs).
    """

    side: str
    row: str
    title: str
    first: Sample
    other: Sample
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All lines, and the same as verdicts, for the figure."""

    lines: tuple[Compared, ...]
    judged: Judged
    sides: tuple[str, ...]
    of: Of


def compare(
    sides: Sequence[Side], *, of: Of | None = None, margin: float = 0.0, measure: Measure = TOP1
) -> Comparison:
    """Return the comparison of all sides with the first one.

    `of` compares rows, or what each step adds; the default is rows on the same data, and steps on
    different data, where a difference of rows says how hard the data are. Raises Problem if a side
    has no runs, or has no row with the first side in common.
    """
    for side in sides:
        if not side.rows:
            raise Problem(f"{side.name!r} has no finished runs; train them with `roadmap run`")
    first, *others = sides
    of = of or ("rows" if len({side.data for side in sides}) == 1 else "steps")
    shared = [_shared(first, side, of) for side in others]
    runs = {side.name: measured_runs(side.selection, measure) for side in sides}
    named = {
        f"{name}/{number}": one for name, group in runs.items() for number, one in group.items()
    }
    samples = samples_of(named, measure)
    contrasts = [
        _contrast(first.name, side.name, row, of, alone=len(others) == 1, place=place)
        for place, (side, rows) in enumerate(zip(others, shared, strict=True))
        for row in rows
    ]
    same = {
        f"{side.name}/{number}"
        for side in others
        for number, group in runs[side.name].items()
        if _identities(group) == _identities(runs[first.name].get(number, ()))
    }
    contrasts = [
        one
        for one in contrasts
        if all(name in samples for name in one.weights) and not same & set(one.weights)
    ]
    if not contrasts:
        raise Problem(
            f"{first.name!r} and the others have no {of} in common with runs of their own"
        )
    rights = {
        f"{side.name}/{number}": group
        for side in sides
        if side.data == first.data
        for number, group in right_images(runs[side.name], measure).items()
    }
    lost = {
        f"{side.name}/{number}": count
        for side in sides
        for number, count in diverged_runs(side.selection).items()
    }
    margin = margin if measure.is_percentage else 0.0
    looks = count_looks(contrasts, named)
    verdicts = judge(contrasts, samples, margin, rights, looks, measure=measure, diverged=lost)
    lines = tuple(
        _line(contrast, verdict, samples)
        for contrast, verdict in zip(contrasts, verdicts, strict=True)
    )
    names = {side.name: data_name(side.selection.runs[0]) for side in sides}
    data = set(names.values())
    judged = Judged(
        name="compare",
        title=" and ".join(side.name for side in others) + f" against {first.name}",
        data=data.pop() if len(data) == 1 else None,
        margin=margin,
        asks=_asks(first.name, of),
        verdicts=verdicts,
        notes=(*_notes(sides, names, of), *_same(same), *looks_note(looks)),
        measure=measure,
        new_images=any(verdict.images_low is not None for verdict in verdicts),
        numbers={contrast.step: line.row for contrast, line in zip(contrasts, lines, strict=True)},
    )
    return Comparison(lines=lines, judged=judged, sides=tuple(side.name for side in sides), of=of)


def _identities(runs: Sequence[Record]) -> set[str]:
    return {run.identity.run for run in runs}


def _same(names: Collection[str]) -> list[str]:
    listed = ", ".join(sorted({name.rpartition("/")[2] for name in names}))
    return [f"the same runs on both sides, not compared: {listed}"] if listed else []


def _shared(first: Side, other: Side, of: Of) -> list[Row]:
    """Return the rows of a side that the first one has too; of steps, those that start from one."""
    keys = first.rows
    return [
        row
        for key, row in other.rows.items()
        if key in keys and (of == "rows" or row.before is not None)
    ]


def _contrast(first: str, other: str, row: Row, of: Of, *, alone: bool, place: int) -> Contrast:
    weights = {f"{other}/{row.number}": 1.0, f"{first}/{row.number}": -1.0}
    if of == "steps" and row.before is not None:
        weights |= {f"{other}/{row.before.number}": -1.0, f"{first}/{row.before.number}": 1.0}
    group = row.group if alone else Group(other, COLOURS[place % len(COLOURS)])
    return Contrast(
        step=row.number if alone else f"{other}: {row.number}",
        title=row.title,
        group=group,
        parts=(weights,),
    )


def _line(contrast: Contrast, verdict: Verdict, samples: Mapping[str, Sample]) -> Compared:
    (part,) = contrast.parts
    names = list(part)
    side, _, row = names[0].rpartition("/")
    return Compared(
        side=side,
        row=row,
        title=contrast.title,
        first=_sample([names[1], *names[3:4]], samples),
        other=_sample([names[0], *names[2:3]], samples),
        verdict=verdict,
    )


def _sample(names: Sequence[str], samples: Mapping[str, Sample]) -> Sample:
    """Return the runs of a row, or what a row adds to the one before, with its spread over runs."""
    own, *before = (samples[name] for name in names)
    if not before:
        return own
    (start,) = before
    spread = None
    if own.std is not None and start.std is not None:
        spread = (own.std**2 + start.std**2) ** 0.5
    return Sample(mean=own.mean - start.mean, std=spread, n=min(own.n, start.n))


def _asks(first: str, of: Of) -> str:
    if of == "rows":
        return f"a row of the other side minus the same row of {first}"
    return f"what a step adds on the other side minus what it adds on {first}"


def _notes(sides: Sequence[Side], names: Mapping[str, str], of: Of) -> Iterator[str]:
    first = sides[0]
    for side in sides:
        sizes = f" ({side.selection.sizes})" if side.selection.sizes else ""
        runs = counted(len(side.selection.runs), "run")
        yield f"side {side.name}: {runs} on {names[side.name]}{sizes}"
    for side in sides[1:]:
        missing = [row.number for key, row in side.rows.items() if key not in first.rows]
        missing += [row.number for key, row in first.rows.items() if key not in side.rows]
        if missing:
            listed = ", ".join(dict.fromkeys(missing))
            yield f"in one of {first.name} and {side.name} only, not compared: {listed}"
    if len({side.data for side in sides}) > 1:
        yield "the sides have different validation images: intervals are over seeds only"
        if of == "rows":
            yield "a difference of rows on different data says how hard the data are"
