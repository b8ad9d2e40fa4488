"""Judge what each step of a study is worth: difference, interval, verdict in words."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.comparable import stands_beside_paper
from analysis.measures import TOP1, Measure
from analysis.notes import mixtures, one_recipe, recipes, starts
from analysis.selection import Selection, data_name, select
from analysis.verdicts.agreement import find_agreements
from analysis.verdicts.declared import as_declared
from analysis.verdicts.diverged import diverged_runs, worst_cases
from analysis.verdicts.judge import by_order, judge, margin_of
from analysis.verdicts.orders import ENOUGH_ORDERS
from analysis.verdicts.runs import looks_in, looks_note, measured_runs, right_images
from analysis.verdicts.signs import sign_notes
from analysis.verdicts.verdict import Judged, Verdict
from roadmap.record import Record
from roadmap.text import counted
from steps.studies.study import Study


def judge_study(
    study: Study,
    runs: Selection | Sequence[Record],
    data: str | None = None,
    *,
    measure: Measure = TOP1,
    given_images: bool = False,
    paper: bool = False,
) -> Judged:
    """Return the verdicts of a study from a selection of its runs, or from records.

    Verdicts hold for other validation images too if runs record which images they had right, and
    are not `given_images`, the ones that were used. The agreement with the paper is told if the
    data are the roadmap's, or with `paper`.
    """
    selection = select(study.roadmap, runs, data)
    measured = measured_runs(selection, measure)
    declared = as_declared(study, measured, measure)
    samples = declared.samples
    margin = margin_of(study, measure)
    looks = looks_in(study, measured)
    verdicts = judge(
        study.contrasts,
        samples,
        margin,
        right_images(measured, measure),
        looks,
        measure=measure,
        given_images=given_images,
        diverged=diverged_runs(selection),
        pairs=declared.pairs,
    )
    new_images = not given_images and any(verdict.images_low is not None for verdict in verdicts)
    missing = [row.number for row in study.roadmap if row.number not in samples]
    notes = [
        *declared.notes,
        *sign_notes(study.contrasts, verdicts),
        *(f"{step}: {why}" for step, why in study.left_out.items()),
        *_missing(missing),
        *_diverged(selection),
        *worst_cases(verdicts, measure),
        *looks_note(looks),
        *_order_unknown(study, verdicts),
        *_few_orders(study),
        *[f"no margin is set for {measure.label}: a small difference stays undecided"]
        * (not margin),
        *(_given_images(verdicts) if new_images else []),
        *mixtures([run for group in measured.values() for run in group]),
        *selection.notes,
        *one_recipe(selection.roadmap),
        *starts(selection.rows),
    ]
    beside_paper = stands_beside_paper(study.base, selection, asked=paper)
    compared = study.design == "path" and measure.in_paper and beside_paper
    return Judged(
        name=study.name,
        title=study.roadmap.title,
        data=data_name(next(iter(measured.values()))[0]) if measured else selection.data,
        margin=margin,
        asks=study.asks,
        verdicts=verdicts,
        agreements=find_agreements(study, samples, verdicts) if compared else (),
        notes=tuple(notes),
        recipe=recipes(study.roadmap, selection.runs),
        measure=measure,
        new_images=new_images,
        by_order=by_order(study, samples) if study.design == "orders" else {},
        numbers=study.numbers,
    )


def _missing(numbers: Sequence[str], most: int = 8) -> list[str]:
    if not numbers:
        return []
    listed = ", ".join(numbers[:most]) + (", …" if len(numbers) > most else "")
    return [f"no finished runs of {counted(len(numbers), 'variant')}: {listed}"]


def _order_unknown(study: Study, verdicts: Sequence[Verdict]) -> list[str]:
    """Say why a study of orders does not tell how much steps depend on their order."""
    judged = [verdict for verdict in verdicts if verdict.difference is not None]
    known = any(verdict.order_std is not None for verdict in judged)
    if study.design != "orders" or not judged or known:
        return []
    return [
        "how much steps depend on their order needs two seeds of most variants (--seeds 2): "
        "with one, order and noise cannot be told apart"
    ]


def _few_orders(study: Study) -> list[str]:
    """Say that a sample of orders is too small for a verdict of no difference."""
    counts = {len(contrast.parts) for contrast in study.contrasts if not contrast.complete}
    if study.design != "orders" or not counts or max(counts) >= ENOUGH_ORDERS:
        return []
    return [f"fewer than {ENOUGH_ORDERS} orders: a small difference stays undecided"]


def _given_images(verdicts: Sequence[Verdict]) -> list[str]:
    """Name the verdicts that do not hold for other images, next to others that do."""
    steps = [
        verdict.step
        for verdict in verdicts
        if verdict.low is not None and verdict.images_low is None
    ]
    if not steps:
        return []
    return [
        "given these validation images, as some runs do not record which they had right: "
        f"{', '.join(steps)}"
    ]


def _diverged(selection: Selection) -> list[str]:
    counts = diverged_runs(selection)
    listed = ", ".join(f"{number} ({count})" for number, count in counts.items())
    return [f"diverged, not averaged: {listed}"] if listed else []
