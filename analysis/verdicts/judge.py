"""Turn contrasts and samples into verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy
from scipy import stats

from analysis.measures import TOP1, Measure
from analysis.verdicts.statistics import (
    Estimate,
    Sample,
    difference,
    holm,
    over_images,
    over_orders,
    seeds_needed,
)
from analysis.verdicts.verdict import ALPHA, UNDECIDED, Verdict
from steps.studies.contrast import Contrast
from steps.studies.study import Study

FEWEST_ORDERS = 3  # fewer tell too little of how the mean varies over orders


def margin_of(study: Study, measure: Measure) -> float:
    """Return the smallest difference of a measure that matters; 0 if the study sets none for it."""
    return study.margin if measure.is_percentage else 0.0


def by_order(study: Study, samples: Mapping[str, Sample]) -> dict[str, tuple[float, ...]]:
    """Return what each step added in each sampled order, by step."""
    known = {contrast.step: _known(contrast, samples) for contrast in study.contrasts}
    return {
        step: tuple(difference(samples, part).value if part else 0.0 for part in parts)
        for step, parts in known.items()
        if parts
    }


def judge(
    contrasts: Sequence[Contrast],
    samples: Mapping[str, Sample],
    margin: float,
    rights: Mapping[str, Sequence[numpy.ndarray]] | None = None,
    looks: int = 1,
    *,
    measure: Measure = TOP1,
) -> tuple[Verdict, ...]:
    """Return a verdict for each contrast, also for those that lack runs.

    `rights` says which images each run has right, by variant. `looks` is how often the runs are
    judged while more are added; p values are multiplied by it (Bonferroni).
    """
    known = [_known(contrast, samples) for contrast in contrasts]
    estimates = [
        _estimate(parts, samples, contrast.complete) if parts else None
        for contrast, parts in zip(contrasts, known, strict=True)
    ]
    tests = max(1, sum(any(contrast.parts) for contrast in contrasts))
    ps = [estimate.p if estimate else None for estimate in estimates]
    adjusted = holm([None if p is None else min(1.0, p * looks) for p in ps], tests)
    orders = [_order(parts, samples) for parts in known]
    order_ps = holm([p for _, p in orders], tests)
    rules = _Rules(
        margin=margin, looks=looks, strictest=ALPHA / tests / looks, measure=measure
    )  # strictest: Holm's first step
    rows = zip(contrasts, known, estimates, adjusted, orders, order_ps, strict=True)
    return tuple(
        replace(
            _verdict(contrast, parts, estimate, p, samples, rights or {}, rules),
            order_std=std,
            order_p=order_p,
        )
        for contrast, parts, estimate, p, (std, _), order_p in rows
    )


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """What a study is judged by: `strictest` is the level at which its first test must pass."""

    margin: float
    looks: int
    strictest: float
    measure: Measure


def _known(contrast: Contrast, samples: Mapping[str, Sample]) -> list[Mapping[str, float]]:
    """The parts that have runs, where they are enough to judge by.

    A part in which the step changes nothing needs no runs: beside such all others must be there,
    or the mean would lean towards zero.
    """
    known = [part for part in contrast.parts if all(name in samples for name in part)]
    enough = min(len(contrast.parts), FEWEST_ORDERS)
    if any(not part for part in contrast.parts):
        enough = len(contrast.parts)
    return known if len(known) >= enough else []


def _estimate(
    parts: Sequence[Mapping[str, float]], samples: Mapping[str, Sample], complete: bool = False
) -> Estimate:
    """The mean over parts; a sample of orders stands for others too, all orders for themselves."""
    if len(parts) >= FEWEST_ORDERS and any(parts) and not complete:
        return over_orders(samples, parts)
    return difference(samples, _together(parts))


def _together(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return Contrast(step="", title="", group="", parts=tuple(parts)).weights


def _verdict(
    contrast: Contrast,
    parts: Sequence[Mapping[str, float]],
    estimate: Estimate | None,
    p: float | None,
    samples: Mapping[str, Sample],
    rights: Mapping[str, Sequence[numpy.ndarray]],
    rules: _Rules,
) -> Verdict:
    blank = Verdict(
        step=contrast.step, title=contrast.title, group=contrast.group, n=0, verdict="lacks runs"
    )
    if estimate is None:
        return blank
    if not any(parts):
        return replace(blank, difference=0.0, verdict="changes nothing here")
    weights = _together(parts)
    low, high = estimate.interval() or (None, None)
    words = verdict_words(estimate, p, rules.margin, rules.looks, rules.measure)
    images_low, images_high = _over_images(rights, weights) or (None, None)
    needed = None
    if words == UNDECIDED and len(parts) < FEWEST_ORDERS:
        needed = seeds_needed(samples, weights, rules.strictest)
    return replace(
        blank,
        verdict=words,
        n=min((samples[name].n for part in parts for name in part), default=0),
        difference=estimate.value,
        low=low,
        high=high,
        p_alone=estimate.p,
        p=p,
        better=_probability(estimate, rules.measure),
        smallest=estimate.smallest(rules.strictest),
        needed=needed,
        images_low=images_low,
        images_high=images_high,
    )


def _probability(estimate: Estimate, measure: Measure) -> float | None:
    """Return the probability that the true difference is an improvement."""
    above = estimate.above_zero
    return above if above is None or measure.better == "higher" else 1 - above


def verdict_words(
    estimate: Estimate, p: float | None, margin: float, looks: int, measure: Measure = TOP1
) -> str:
    """Return the verdict: a difference, one too small to matter, or undecided.

    A difference needs an adjusted p below ALPHA. One is too small to matter if the 95 % interval of
    this step alone lies within the margin. Several looks at the runs make that interval wider.
    """
    if p is None:
        return f"{UNDECIDED}: no spread"
    if p < ALPHA:
        return "better" if measure.is_gain(estimate.value) else "worse"
    ends = estimate.interval(1 - ALPHA / looks)
    if ends and -margin < ends[0] and ends[1] < margin:
        return f"no difference larger than {margin:g}"
    return UNDECIDED


def _order(
    parts: Sequence[Mapping[str, float]], samples: Mapping[str, Sample]
) -> tuple[float | None, float | None]:
    """How far a step's worth varies over orders beyond the noise of seeds, and p of no such."""
    if len(parts) < FEWEST_ORDERS or not any(parts):
        return None, None
    known = [one for one in (difference(samples, part) for part in parts if part) if one.error]
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


def _over_images(
    rights: Mapping[str, Sequence[numpy.ndarray]], weights: Mapping[str, float]
) -> tuple[float, float] | None:
    if not weights or any(name not in rights for name in weights):
        return None
    sizes = {len(run) for name in weights for run in rights[name]}
    if len(sizes) > 1:
        return None
    return over_images(rights, weights, sizes.pop()).interval()
