"""What each step of a study is worth, judged: difference, interval, verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy
from scipy import stats

from analysis.selection import Selection, data_name, select
from analysis.statistics import (
    Cell,
    Estimate,
    difference,
    holm,
    mean_of,
    over_images,
    rank_correlation,
    right,
    seeds_needed,
)
from analysis.table import finished, mixtures
from roadmap.paper import paper_rows
from roadmap.record import Record
from steps.designs import Contrast
from steps.studies import Study

ALPHA = 0.05
UNDECIDED = "undecided"
FEWEST_ORDERS = 3  # from which their spread tells of the mean over orders


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A contrast, judged; differences are points of top-1, None is what the runs cannot tell.

    `low` and `high` are the ends of the 95 % interval over seeds (for `orders`, over orders and
    seeds), `images_low` and `images_high` over validation images alone. `p` is adjusted by Holm
    over the study. `better` is the probability that the true difference is above zero. `smallest`
    is the smallest true difference that this many runs would show in four of five studies,
    `needed` how many runs a variant the difference seen would take, Holm's adjustment included.
    `order_std` is how much the step's worth varies over orders beyond what seeds explain, and
    `order_p` whether it does.
    """

    step: str
    title: str
    group: str
    verdict: str
    n: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    better: float | None = None
    smallest: float | None = None
    needed: int | None = None
    images_low: float | None = None
    images_high: float | None = None
    order_std: float | None = None
    order_p: float | None = None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Spearman's rank correlation with the paper, of rows or of what steps add; 95 % interval."""

    of: str
    correlation: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdicts of a study, its agreement with the paper, and what there is to know beside."""

    title: str
    data: str | None
    margin: float
    verdicts: tuple[Verdict, ...]
    agreements: tuple[Agreement, ...] = ()
    notes: tuple[str, ...] = ()


def judge_study(study: Study, records: Sequence[Record], data: str | None = None) -> Judged:
    """The verdicts of a study from the records of its runs."""
    chosen = select(study.roadmap, records, data)
    runs = _finished(chosen)
    cells = _cells(runs)
    verdicts = judge(study.contrasts, cells, study.margin, _rights(runs))
    missing = [row.number for row in study.roadmap if row.number not in cells]
    notes = [
        *(f"{step}: {why}" for step, why in study.left_out.items()),
        *_missing(missing),
        *_diverged(chosen),
        *mixtures([run for found in runs.values() for run in found]),
        *chosen.notes,
    ]
    agreements = _agreements(study, cells, verdicts) if study.design == "path" else ()
    return Judged(
        title=study.roadmap.title,
        data=data_name(next(iter(runs.values()))[0]) if runs else chosen.data,
        margin=study.margin,
        verdicts=verdicts,
        agreements=agreements,
        notes=tuple(notes),
    )


def next_runs(
    study: Study, records: Sequence[Record], *, most: int, runs: int, data: str | None = None
) -> list[tuple[str, int]]:
    """Where to spend the next `runs`: variants and seeds, of the verdicts that are still open.

    For each open verdict, those first that need fewest seeds, the variant whose next run narrows
    the interval most; none beyond `most` seeds. Empty where all is decided, or no more may be had.
    """
    chosen = select(study.roadmap, records, data)
    seeds = {number: [run.identity.seed for run in found] for number, found in chosen.rows.items()}
    cells = _cells(_finished(chosen))
    judged = zip(study.contrasts, judge(study.contrasts, cells, study.margin), strict=True)
    waiting = sorted(
        (
            (verdict.needed or most + 1, contrast.weights)
            for contrast, verdict in judged
            if verdict.verdict.startswith(UNDECIDED)
        ),
        key=lambda each: each[0],
    )
    found: list[tuple[str, int]] = []
    for _, weights in waiting:
        free = [
            (_gain(cells.get(number), weight), number)
            for number, weight in weights.items()
            if len(seeds.get(number, ())) < most and number not in dict(found)
        ]
        if free and len(found) < runs:
            number = max(free)[1]
            taken = seeds.get(number, [])
            found.append((number, next(seed for seed in range(most) if seed not in taken)))
    return found


def _gain(cell: Cell | None, weight: float) -> float:
    """By how much one more run of a variant lowers the variance of a difference."""
    if cell is None or cell.std is None:
        return float("inf")
    return weight**2 * cell.std**2 / (cell.n * (cell.n + 1))


def judge_paper(study: Study, table: str) -> Judged:
    """The same of the paper's own printed means and standard deviations."""
    cells = _paper_cells(table)
    return Judged(
        title=f"the paper: {study.roadmap.title}",
        data="ImageNet-1K",
        margin=study.margin,
        verdicts=judge(study.contrasts, cells, study.margin),
        notes=("from printed means and standard deviations, each rounded to two decimals",),
    )


def judge(
    contrasts: Sequence[Contrast],
    cells: Mapping[str, Cell],
    margin: float,
    rights: Mapping[str, Sequence[numpy.ndarray]] | None = None,
) -> tuple[Verdict, ...]:
    """A verdict for each contrast; those that lack runs say so."""
    parts = [
        [part for part in each.parts if all(name in cells for name in part)] for each in contrasts
    ]
    parts = [
        found if len(found) >= min(len(each.parts), FEWEST_ORDERS) else []
        for each, found in zip(contrasts, parts, strict=True)
    ]
    estimates = [_estimate(found, cells) if found else None for found in parts]
    tests = max(1, sum(any(each.parts) for each in contrasts))
    adjusted = holm([each.p if each else None for each in estimates], tests)
    strictest = ALPHA / tests  # Holm's first step
    return tuple(
        _verdict(contrast, found, estimate, p, cells, margin, rights or {}, strictest)
        for contrast, found, estimate, p in zip(contrasts, parts, estimates, adjusted, strict=True)
    )


def _estimate(parts: Sequence[Mapping[str, float]], cells: Mapping[str, Cell]) -> Estimate:
    if len(parts) >= FEWEST_ORDERS:
        return mean_of([difference(cells, part).value for part in parts])
    return difference(cells, _together(parts))


def _together(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return Contrast(step="", title="", group="", parts=tuple(parts)).weights


def _verdict(
    contrast: Contrast,
    parts: Sequence[Mapping[str, float]],
    estimate: Estimate | None,
    p: float | None,
    cells: Mapping[str, Cell],
    margin: float,
    rights: Mapping[str, Sequence[numpy.ndarray]],
    strictest: float,
) -> Verdict:
    named = {"step": contrast.step, "title": contrast.title, "group": contrast.group}
    if estimate is None:
        return Verdict(**named, n=0, verdict="lacks runs")
    weights = _together(parts)
    if not weights and len(parts) == 1:
        return Verdict(**named, n=0, difference=0.0, verdict="changes nothing here")
    low, high = estimate.interval() or (None, None)
    verdict = _words(estimate, p, margin)
    images = _over_images(rights, weights)
    needed = None
    if verdict == UNDECIDED and len(parts) < FEWEST_ORDERS:
        needed = seeds_needed(cells, weights, strictest)
    order_std, order_p = _order(parts, cells)
    return Verdict(
        **named,
        verdict=verdict,
        n=min((cells[name].n for part in parts for name in part), default=0),
        difference=estimate.value,
        low=low,
        high=high,
        p=p,
        better=estimate.better,
        smallest=estimate.smallest,
        needed=needed,
        images_low=images[0] if images else None,
        images_high=images[1] if images else None,
        order_std=order_std,
        order_p=order_p,
    )


def _words(estimate: Estimate, p: float | None, margin: float) -> str:
    """The verdict: a difference that Holm's p shows, one too small to matter, or none yet."""
    if p is None:
        return f"{UNDECIDED}: no spread"
    if p < ALPHA:
        return "better" if estimate.value > 0 else "worse"
    low, high = estimate.interval(1 - 2 * ALPHA)  # two one-sided tests
    if -margin < low and high < margin:
        return f"no difference larger than {margin:g}"
    return UNDECIDED


def _order(
    parts: Sequence[Mapping[str, float]], cells: Mapping[str, Cell]
) -> tuple[float | None, float | None]:
    """How far a step's worth varies over orders beyond the noise of seeds, and p of no such."""
    if len(parts) < FEWEST_ORDERS:
        return None, None
    each = [difference(cells, part) for part in parts]
    spread = float(numpy.var([one.value for one in each], ddof=1))
    known = [one for one in each if one.error]
    if not known:  # one seed: order and noise cannot be told apart
        return None, None
    noise = fmean(one.error**2 for one in known)
    freedom = sum(one.freedom for one in known)
    return max(spread - noise, 0.0) ** 0.5, float(
        stats.f.sf(spread / noise, len(parts) - 1, freedom)
    )


def _rights(runs: Mapping[str, Sequence[Record]]) -> dict[str, list[numpy.ndarray]]:
    found = {
        number: [right(run.correct)[: run.data["val"]] for run in each if run.correct]
        for number, each in runs.items()
    }
    return {number: each for number, each in found.items() if each}


def _over_images(
    rights: Mapping[str, Sequence[numpy.ndarray]], weights: Mapping[str, float]
) -> tuple[float, float] | None:
    if not weights or any(name not in rights for name in weights):
        return None
    sizes = {len(run) for name in weights for run in rights[name]}
    if len(sizes) > 1:
        return None
    return over_images(rights, weights, sizes.pop()).interval()


def _finished(chosen: Selection) -> dict[str, list[Record]]:
    found = {number: finished(runs) for number, runs in chosen.rows.items()}
    return {number: runs for number, runs in found.items() if runs}


def _cells(runs: Mapping[str, Sequence[Record]]) -> dict[str, Cell]:
    return {number: Cell.of([run.top1 for run in found]) for number, found in runs.items()}


def _paper_cells(table: str) -> dict[str, Cell]:
    return {
        number: Cell(mean=row.top1, std=row.std, n=row.n)
        for number, row in paper_rows(table).items()
    }


def _missing(numbers: Sequence[str], most: int = 8) -> list[str]:
    if not numbers:
        return []
    named = ", ".join(numbers[:most]) + (", …" if len(numbers) > most else "")
    return [f"no finished runs of {len(numbers)} variants: {named}"]


def _diverged(chosen: Selection) -> list[str]:
    found = {
        number: sum(run.status == "diverged" for run in runs)
        for number, runs in chosen.rows.items()
    }
    named = ", ".join(f"{number} ({count})" for number, count in found.items() if count)
    return [f"diverged, not averaged: {named}"] if named else []


def _agreements(
    study: Study, cells: Mapping[str, Cell], verdicts: Sequence[Verdict]
) -> tuple[Agreement, ...]:
    """Rank correlations with the paper's table: of rows, and of what each step adds."""
    paper = _paper_cells(study.roadmap.paper) if study.roadmap.paper else {}
    rows = [number for number in cells if number in paper]
    contrasts = {each.step: each for each in study.contrasts}
    steps = [
        (each.difference, difference(paper, contrasts[each.step].weights).value)
        for each in verdicts
        if each.difference is not None
        and all(name in paper for name in contrasts[each.step].weights)
    ]
    pairs = {
        "rows": ([cells[number].mean for number in rows], [paper[number].mean for number in rows]),
        "what steps add": ([one for one, _ in steps], [other for _, other in steps]),
    }
    found = []
    for name, (ours, paper_values) in pairs.items():
        if (ranked := rank_correlation(ours, paper_values)) is not None:
            correlation, (low, high) = ranked
            found.append(
                Agreement(of=name, correlation=correlation, low=low, high=high, pairs=len(ours))
            )
    return tuple(found)
