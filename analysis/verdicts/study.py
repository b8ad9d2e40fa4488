"""What each step of a study is worth, judged: difference, interval, verdict in words."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.notes import mixtures, recipes
from analysis.selection import Selection, data_name, select
from analysis.verdicts.agreement import find_agreements
from analysis.verdicts.judge import by_order, judge
from analysis.verdicts.runs import cells_of, count_looks, finished_runs, right_images
from analysis.verdicts.verdict import Judged, Verdict
from roadmap.record import Record
from steps.studies.study import Study


def judge_study(study: Study, records: Sequence[Record], data: str | None = None) -> Judged:
    """The verdicts of a study from the records of its runs."""
    chosen = select(study.roadmap, records, data)
    runs = finished_runs(chosen)
    cells = cells_of(runs)
    looks = count_looks(study, runs)
    verdicts = judge(study.contrasts, cells, study.margin, right_images(runs), looks)
    missing = [row.number for row in study.roadmap if row.number not in cells]
    notes = [
        *(f"{step}: {why}" for step, why in study.left_out.items()),
        *_missing(missing),
        *_diverged(chosen),
        *[f"seeds were added until decided: p counts {looks} looks at the runs"] * (looks > 1),
        *_order_unknown(study, verdicts),
        *mixtures([run for found in runs.values() for run in found]),
        *chosen.notes,
    ]
    agreements = find_agreements(study, cells, verdicts) if study.design == "path" else ()
    return Judged(
        name=study.name,
        title=study.roadmap.title,
        data=data_name(next(iter(runs.values()))[0]) if runs else chosen.data,
        margin=study.margin,
        asks=study.asks,
        verdicts=verdicts,
        agreements=agreements,
        notes=tuple(notes),
        recipe=recipes(study.roadmap),
        by_order=by_order(study, cells) if study.design == "orders" else {},
    )


def _missing(numbers: Sequence[str], most: int = 8) -> list[str]:
    if not numbers:
        return []
    named = ", ".join(numbers[:most]) + (", …" if len(numbers) > most else "")
    return [f"no finished runs of {len(numbers)} variants: {named}"]


def _order_unknown(study: Study, verdicts: Sequence[Verdict]) -> list[str]:
    """Why nothing is said of how steps depend on their order, where it is not."""
    judged = [each for each in verdicts if each.difference is not None]
    if study.design != "orders" or not judged or any(each.order_std is not None for each in judged):
        return []
    return ["how much steps depend on their order needs two seeds of most variants (--seeds 2): "
            "with one, order and noise cannot be told apart"]  # fmt: skip


def _diverged(chosen: Selection) -> list[str]:
    found = {
        number: sum(run.status == "diverged" for run in runs)
        for number, runs in chosen.rows.items()
    }
    named = ", ".join(f"{number} ({count})" for number, count in found.items() if count)
    return [f"diverged, not averaged: {named}"] if named else []
