"""What each step of a study is worth, judged: difference, interval, verdict in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import numpy
from scipy import stats

from analysis.selection import Selection, data_name, select
from analysis.statistics import (
    Cell,
    Estimate,
    difference,
    holm,
    over_images,
    over_orders,
    rank_correlation,
    right,
    seeds_needed,
)
from analysis.table import finished, mixtures, recipes
from roadmap.errors import Problem
from roadmap.paper import RECIPE, paper_rows, printed
from roadmap.record import Record
from steps.designs import Contrast
from steps.studies import Study

ALPHA = 0.05
UNDECIDED = "undecided"
ADAPTIVE, MOST_SEEDS = "--until-decided", 8  # in the command of runs that were added so
HALF_A_DIGIT = 0.005  # of the paper's printed numbers
FEWEST_ORDERS = 3  # from which their spread tells of the mean over orders


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A contrast, judged; differences are points of top-1, None is what the runs cannot tell.

    `low` and `high` are the ends of the 95 % interval over seeds (for `orders`, over orders and
    seeds), `images_low` and `images_high` over validation images alone. `p_alone` is the two-sided
    p of no difference, `p` the same adjusted by Holm over the study, and for looking more than once
    where seeds were added until decided. `better` is the probability that the true difference is
    above zero. `smallest` is the smallest true difference to which this many runs would give a
    verdict in four of five studies, `needed` how many runs a variant the difference seen would
    take; both at the first level of Holm's adjustment. `order_std` is how much the step's worth
    varies over orders beyond what seeds explain, and `order_p` whether it does, adjusted by Holm.
    """

    step: str
    title: str
    group: str
    verdict: str
    n: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_alone: float | None = None
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
    """Spearman's rank correlation with the paper, of rows or of what steps add; 95 % interval.

    Rows have none: each is the row before it and a step more, so they are no independent pairs, and
    an interval as if they were leaves out zero far too often between paths that have nothing in
    common.
    """

    of: str
    correlation: float
    low: float | None
    high: float | None
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdicts of a study, its agreement with the paper, and what there is to know beside.

    `asks` says what a difference subtracts from what, `recipe` how the runs were trained.
    `by_order` is what a step added in each order sampled, in points, for a study of orders.
    """

    name: str
    title: str
    data: str | None
    margin: float
    asks: str
    verdicts: tuple[Verdict, ...]
    agreements: tuple[Agreement, ...] = ()
    notes: tuple[str, ...] = ()
    recipe: str = ""
    by_order: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def judge_study(study: Study, records: Sequence[Record], data: str | None = None) -> Judged:
    """The verdicts of a study from the records of its runs."""
    chosen = select(study.roadmap, records, data)
    runs = _finished(chosen)
    cells = _cells(runs)
    looks = _looks(study, runs)
    verdicts = judge(study.contrasts, cells, study.margin, _rights(runs), looks)
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
    agreements = _agreements(study, cells, verdicts) if study.design == "path" else ()
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
        by_order=_by_order(study, cells) if study.design == "orders" else {},
    )


def _by_order(study: Study, cells: Mapping[str, Cell]) -> dict[str, tuple[float, ...]]:
    known = {contrast.step: _known(contrast, cells) for contrast in study.contrasts}
    return {
        step: tuple(difference(cells, part).value if part else 0.0 for part in parts)
        for step, parts in known.items()
        if parts
    }


def next_runs(
    study: Study,
    records: Sequence[Record],
    *,
    most: int,
    runs: int,
    data: str | None = None,
    tried: Collection[tuple[str, int]] = (),
) -> list[tuple[str, int]]:
    """Where to spend the next `runs`: variants and seeds, of the verdicts that are still open.

    For each open verdict, those first that need fewest seeds, a run of each of its variants; none
    beyond `most` seeds and none of those `tried`. (Of the noisier variant alone would be cheaper,
    but choosing by spreads that were themselves estimated from these runs makes false verdicts
    three times as frequent.) Verdicts are served whole, so that there may be a few runs more. Empty
    where all is decided, or no more may be had. Raises Problem for orders, which more seeds do not
    decide.
    """
    if study.design == "orders":
        raise Problem("a study of orders is decided by more samples, not by more seeds")
    chosen = select(study.roadmap, records, data)
    seeds = defaultdict(set)
    for number, seed in tried:
        seeds[number].add(seed)
    for number, found in chosen.rows.items():
        seeds[number] |= {run.identity.seed for run in found}
    done = _finished(chosen)
    cells, looks = _cells(done), max(_looks(study, done), most - study.seeds + 1)
    judged = zip(
        study.contrasts, judge(study.contrasts, cells, study.margin, looks=looks), strict=True
    )
    waiting = sorted(
        (
            (verdict.needed or most + 1, contrast.weights)
            for contrast, verdict in judged
            if verdict.verdict.startswith(UNDECIDED)
        ),
        key=lambda each: each[0],
    )
    next_ones: dict[str, int] = {}
    for _, weights in waiting:
        if len(next_ones) >= runs:
            break
        for number in weights:
            free = set(range(most)) - seeds[number]
            if free and number not in next_ones:
                next_ones[number] = min(free)
    return list(next_ones.items())


def judge_paper(study: Study, table: str) -> Judged:
    """The same of the paper's own printed means and standard deviations."""
    cells = _paper_cells(table)
    verdicts = judge(study.contrasts, cells, study.margin)
    told = any(cell.std is not None for cell in cells.values())
    printed_as = "means and standard deviations" if told else "means of one run each"
    notes = [f"from printed {printed_as}, rounded to two decimals"]
    if unsure := _hang_on_rounding(study.contrasts, cells, study.margin):
        notes.append(f"may change with the digits that rounding lost: {', '.join(unsure)}")
    return Judged(
        name=f"paper-{table}",
        title=f"the paper: {study.roadmap.title}",
        data="ImageNet-1K",
        margin=study.margin,
        asks=study.asks,
        verdicts=verdicts,
        recipe=RECIPE,
        notes=tuple(notes),
    )


def _hang_on_rounding(
    contrasts: Sequence[Contrast], cells: Mapping[str, Cell], margin: float
) -> list[str]:
    """The steps whose verdict is not the same at both ends of what the printed numbers allow."""
    ends = []
    for clearer in (HALF_A_DIGIT, -HALF_A_DIGIT):
        estimates = [_shifted(cells, contrast.weights, clearer) for contrast in contrasts]
        ps = holm([each.p for each in estimates], len(contrasts))
        ends.append(
            [_words(each, p, margin, looks=1) for each, p in zip(estimates, ps, strict=True)]
        )
    found = zip(contrasts, *ends, strict=True)
    return [contrast.step for contrast, clearest, vaguest in found if clearest != vaguest]


def _shifted(cells: Mapping[str, Cell], weights: Mapping[str, float], by: float) -> Estimate:
    """The difference with every mean `by` points clearer, and every spread as much smaller."""
    sign = 1 if difference(cells, weights).value > 0 else -1
    moved = {
        name: replace(
            cells[name],
            mean=cells[name].mean + (by * sign if weight > 0 else -by * sign),
            std=None if cells[name].std is None else max(0.0, cells[name].std - by),
        )
        for name, weight in weights.items()
    }
    return difference(moved, weights)


def judge(
    contrasts: Sequence[Contrast],
    cells: Mapping[str, Cell],
    margin: float,
    rights: Mapping[str, Sequence[numpy.ndarray]] | None = None,
    looks: int = 1,
) -> tuple[Verdict, ...]:
    """A verdict for each contrast; those that lack runs say so.

    `looks` is how often the runs are looked at, where more are added in between (Bonferroni).
    """
    parts = [_known(each, cells) for each in contrasts]
    estimates = [
        _estimate(found, cells, contrast.complete) if found else None
        for contrast, found in zip(contrasts, parts, strict=True)
    ]
    tests = max(1, sum(any(each.parts) for each in contrasts))
    ps = [each.p if each else None for each in estimates]
    adjusted = holm([None if p is None else min(1.0, p * looks) for p in ps], tests)
    orders = [_order(found, cells) for found in parts]
    order_ps = holm([p for _, p in orders], tests)
    strictest = ALPHA / tests / looks  # Holm's first step
    found = zip(contrasts, parts, estimates, adjusted, orders, order_ps, strict=True)
    return tuple(
        replace(
            _verdict(contrast, part, estimate, p, cells, margin, rights or {}, strictest, looks),
            order_std=std,
            order_p=order_p,
        )
        for contrast, part, estimate, p, (std, _), order_p in found
    )


def _known(contrast: Contrast, cells: Mapping[str, Cell]) -> list[Mapping[str, float]]:
    """The parts that have runs, where they are enough to judge by.

    A part in which the step changes nothing needs no runs: beside such all others must be there,
    or the mean would lean towards zero.
    """
    known = [part for part in contrast.parts if all(name in cells for name in part)]
    enough = min(len(contrast.parts), FEWEST_ORDERS)
    if any(not part for part in contrast.parts):
        enough = len(contrast.parts)
    return known if len(known) >= enough else []


def _estimate(
    parts: Sequence[Mapping[str, float]], cells: Mapping[str, Cell], complete: bool = False
) -> Estimate:
    """The mean over parts; a sample of orders stands for others too, all orders for themselves."""
    if len(parts) >= FEWEST_ORDERS and any(parts) and not complete:
        return over_orders(cells, parts)
    return difference(cells, _together(parts))


def _looks(study: Study, runs: Mapping[str, Sequence[Record]]) -> int:
    """How often verdicts were to be looked at; more than once where seeds were added until decided.

    From the commands of the runs: once for each number of seeds, from the fewest that any command
    began with to the most that any allowed.
    """
    commands = {run.provenance.command for found in runs.values() for run in found}
    first, last = [], []
    for words in (command.replace("=", " ").split() for command in commands):
        if ADAPTIVE in words:
            first.append(_number(words, "--seeds", study.seeds))
            last.append(_number(words, "--max-seeds", MOST_SEEDS))
    return max(1, max(last) - min(first) + 1) if first else 1


def _number(words: Sequence[str], option: str, default: int) -> int:
    given = words[words.index(option) + 1] if option in words[:-1] else ""
    return int(given) if given.isdecimal() and len(given) < 7 else default


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
    looks: int,
) -> Verdict:
    named = {"step": contrast.step, "title": contrast.title, "group": contrast.group}
    if estimate is None:
        return Verdict(**named, n=0, verdict="lacks runs")
    weights = _together(parts)
    if not any(parts):
        return Verdict(**named, n=0, difference=0.0, verdict="changes nothing here")
    low, high = estimate.interval() or (None, None)
    verdict = _words(estimate, p, margin, looks)
    images = _over_images(rights, weights)
    needed = None
    if verdict == UNDECIDED and len(parts) < FEWEST_ORDERS:
        needed = seeds_needed(cells, weights, strictest)
    return Verdict(
        **named,
        verdict=verdict,
        n=min((cells[name].n for part in parts for name in part), default=0),
        difference=estimate.value,
        low=low,
        high=high,
        p_alone=estimate.p,
        p=p,
        better=estimate.better,
        smallest=estimate.smallest(strictest),
        needed=needed,
        images_low=images[0] if images else None,
        images_high=images[1] if images else None,
    )


def _words(estimate: Estimate, p: float | None, margin: float, looks: int) -> str:
    """The verdict: a difference that the adjusted p shows, one too small to matter, or none yet.

    Too small to matter: the whole 95 % interval lies within the margin, of this step alone; where
    the runs are looked at more than once, one as much wider as that asks.
    """
    if p is None:
        return f"{UNDECIDED}: no spread"
    if p < ALPHA:
        return "better" if estimate.value > 0 else "worse"
    low, high = estimate.interval(1 - ALPHA / looks)
    if -margin < low and high < margin:
        return f"no difference larger than {margin:g}"
    return UNDECIDED


def _order(
    parts: Sequence[Mapping[str, float]], cells: Mapping[str, Cell]
) -> tuple[float | None, float | None]:
    """How far a step's worth varies over orders beyond the noise of seeds, and p of no such."""
    if len(parts) < FEWEST_ORDERS or not any(parts):
        return None, None
    known = [one for one in (difference(cells, part) for part in parts if part) if one.error]
    if len(known) < FEWEST_ORDERS:  # one seed: order and noise cannot be told apart
        return None, None
    spread = float(numpy.var([one.value for one in known], ddof=1))
    squares = [one.error**2 for one in known]
    noise = fmean(squares)
    freedom = sum(squares) ** 2 / sum(
        square**2 / one.freedom for square, one in zip(squares, known, strict=True)
    )
    return max(spread - noise, 0.0) ** 0.5, float(
        stats.f.sf(spread / noise, len(known) - 1, freedom)
    )


def _rights(runs: Mapping[str, Sequence[Record]]) -> dict[str, list[numpy.ndarray]]:
    """Which images each run has right, of the variants all of whose runs tell it."""
    return {
        number: [right(run.correct)[: run.data["val"]] for run in each]
        for number, each in runs.items()
        if all(run.correct for run in each)
    }


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


def _agreements(
    study: Study, cells: Mapping[str, Cell], verdicts: Sequence[Verdict]
) -> tuple[Agreement, ...]:
    """Rank correlations with the paper's table: of rows, and of what each step adds."""
    table = study.roadmap.paper
    known = _paper_cells(table) if table else {}
    paper = {  # rows of the paper's are those with its number and its step
        row.number: known[row.number]
        for row in study.roadmap
        if printed(table, row.number, row.step) is not None
    }
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
            correlation, interval = ranked
            low, high = interval if interval and name != "rows" else (None, None)
            found.append(
                Agreement(of=name, correlation=correlation, low=low, high=high, pairs=len(ours))
            )
    return tuple(found)
