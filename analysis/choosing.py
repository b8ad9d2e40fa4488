"""For each row of a roadmap with a choice, the runs at the value that is best on `select`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from roadmap.record import Record
from roadmap.rows import Roadmap, Row
from roadmap.tasks import MEASURE

Runs = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The roadmap with the chosen specs, runs by row, the number of each row's candidate, notes."""

    roadmap: Roadmap
    rows: dict[str, tuple[Record, ...]]
    numbers: dict[str, str]
    notes: tuple[str, ...]


def choose(roadmap: Roadmap, runs: Runs) -> Chosen:
    """Choose a candidate for each row; `runs` are by candidate.

    A candidate's score is its mean accuracy on the select split over the seeds that all candidates
    of the row have; a diverged run counts as 0. The first of equals is chosen. Without a seed that
    all candidates have, the row has no runs.
    """
    if roadmap.choose is None:
        return Chosen(
            roadmap=roadmap,
            rows={number: tuple(group) for number, group in runs.items()},
            numbers={},
            notes=(),
        )
    made: dict[str, Row] = {}
    rows: dict[str, tuple[Record, ...]] = {}
    numbers: dict[str, str] = {}
    told, waiting = [], []
    for row in roadmap:
        candidates = roadmap.candidates(row)
        scores = _scores([runs.get(candidate.number, ()) for candidate in candidates])
        best = candidates[scores.index(max(scores))] if scores else None
        before = made[row.before.number] if row.before else None
        made[row.number] = replace(row, spec=best.spec if best else row.spec, before=before)
        if best is None:
            if any(runs.get(candidate.number) for candidate in candidates):
                waiting.append(row.number)
            continue
        numbers[row.number] = best.number
        rows[row.number] = tuple(runs[best.number])
        if len(candidates) > 1:
            told.append(_told(row, best, candidates, scores))
    field = roadmap.choose.field.rpartition(".")[2].replace("_", " ")
    notes = []
    if told:
        notes.append(f"{field} of each row, with the accuracy on the select split: {told[0]}")
        notes[0] = "; ".join([notes[0], *told[1:]])
    if waiting:
        notes.append(f"{field} not chosen yet, since runs are missing: {', '.join(waiting)}")
    return Chosen(
        roadmap=replace(roadmap, rows=tuple(made.values()), choose=None),
        rows=rows,
        numbers=numbers,
        notes=tuple(notes),
    )


def _scores(groups: Sequence[Sequence[Record]]) -> list[float]:
    """Return the mean accuracy of each candidate; empty if they have no seed in common."""
    if len(groups) == 1:  # nothing to choose from
        return [0.0] if groups[0] else []
    measured = [
        {
            run.identity.seed: run.metrics.get(_key(run), 0.0)
            for run in group
            if _key(run) in run.metrics or run.status == "diverged"
        }
        for group in groups
    ]
    common = set.intersection(*map(set, measured))
    return [fmean(scores[seed] for seed in common) for scores in measured] if common else []


def _key(run: Record) -> str:
    """Return the key of the main measure on the select split."""
    return f"select_{MEASURE[run.task]}"


def _told(row: Row, best: Row, candidates: Sequence[Row], scores: Sequence[float]) -> str:
    """Return `05: 0.004 (0.002: 88.1 %, 0.004: 91.0 %)`."""
    values = [candidate.number.rpartition("@")[2] for candidate in candidates]
    listed = ", ".join(
        f"{value}: {score:.1f} %" for value, score in zip(values, scores, strict=True)
    )
    return f"{row.number}: {best.number.rpartition('@')[2]} ({listed})"
