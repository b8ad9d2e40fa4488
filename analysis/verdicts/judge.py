"""Turn contrasts and samples into verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy

from analysis.measures import TOP1, Measure
from analysis.verdicts.diverged import count_diverged
from analysis.verdicts.images import over_images
from analysis.verdicts.orders import (
    ENOUGH_ORDERS,
    FEWEST_ORDERS,
    mean_weights,
    order_dependence,
    over_seeds,
)
from analysis.verdicts.pairing import PAIRS, BySeed, paired_rights, paired_sample
from analysis.verdicts.shrinkage import above_zero
from analysis.verdicts.statistics import (
    Estimate,
    Sample,
    difference,
    holm,
    holm_levels,
    range_needed,
    seeds_needed,
)
from analysis.verdicts.verdict import ALPHA, UNDECIDED, Verdict
from steps.studies.contrast import Contrast
from steps.studies.study import Study


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
    looks: Mapping[str, int] | None = None,
    *,
    measure: Measure = TOP1,
    given_images: bool = False,
    diverged: Mapping[str, int] | None = None,
    pairs: BySeed | None = None,
) -> tuple[Verdict, ...]:
    """Return a verdict for each contrast, also for those that lack runs.

    `rights` says which images each run has right, by variant. Verdicts then hold for other images
    of the same kind too, unless they are `given_images`. `looks` is how often each step is judged
    while runs are added, by default once; its p is multiplied by it (Bonferroni).
    `diverged` is the number of diverged runs by variant. A side that diverged more often is not
    called better or equal. With `pairs`, runs are paired by seed.
    """
    known = [_known(contrast, samples, pairs) for contrast in contrasts]
    evidence = [
        _evidence(
            parts, samples, {} if rights is None else rights, contrast.complete, given_images, pairs
        )
        if parts
        else None
        for contrast, parts in zip(contrasts, known, strict=True)
    ]
    tests = max(1, sum(any(contrast.parts) for contrast in contrasts))
    ps = [item.total.p if item else None for item in evidence]
    counts = [1 if looks is None else looks[contrast.step] for contrast in contrasts]
    looked = [None if p is None else min(1.0, p * n) for p, n in zip(ps, counts, strict=True)]
    adjusted, divisors = holm(looked, tests), holm_levels(looked, tests)
    orders = [order_dependence(parts, samples) for parts in known]
    order_ps = holm([p for _, p in orders], tests)
    rules = [  # the level is that of Holm's first step
        _Rules(margin=margin, looks=n, strictest=ALPHA / tests / n, measure=measure) for n in counts
    ]
    rows = zip(contrasts, known, evidence, adjusted, rules, orders, order_ps, strict=True)
    verdicts = [
        replace(_verdict(contrast, parts, item, p, rule), order_std=std, order_p=order_p)
        for contrast, parts, item, p, rule, (std, _), order_p in rows
    ]
    verdicts = [
        _with_adjusted(verdict, item, divisor, n)
        for verdict, item, divisor, n in zip(verdicts, evidence, divisors, counts, strict=True)
    ]
    chances = above_zero([item.total if item else None for item in evidence])
    if measure.better == "lower":
        chances = [None if chance is None else 1 - chance for chance in chances]
    return tuple(
        replace(
            count_diverged(verdict, contrast.weights, samples, diverged or {}, measure),
            better=chance,
        )
        for verdict, contrast, chance in zip(verdicts, contrasts, chances, strict=True)
    )


def _with_adjusted(
    verdict: Verdict, evidence: _Evidence | None, divisor: float | None, looks: int
) -> Verdict:
    """Add the interval at the level of Holm's test and of the number of looks."""
    ends = evidence.total.interval(1 - ALPHA / divisor / looks) if evidence and divisor else None
    if ends is None:
        return verdict
    return replace(verdict, adjusted_low=ends[0], adjusted_high=ends[1])


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """What a study is judged by: `strictest` is the level at which its first test must pass."""

    margin: float
    looks: int
    strictest: float
    measure: Measure


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    """A difference with the error of seeds, of images, and of what counts for the verdict.

    `samples` and `weights` are those that make the difference, of pairs or of variants.
    """

    samples: Mapping[str, Sample]
    weights: Mapping[str, float]
    seeds: Estimate
    images: Estimate | None
    total: Estimate


def _known(
    contrast: Contrast, samples: Mapping[str, Sample], pairs: BySeed | None = None
) -> list[Mapping[str, float]]:
    """Return the parts that have runs if they are enough to judge by, else none.

    A part in which the step changes nothing needs no runs. If there is one, all other parts must
    have runs, or the mean would lean towards zero. With `pairs`, they also need a common seed.
    """
    known = [
        part
        for part in contrast.parts
        if all(name in samples for name in part)
        and (pairs is None or not part or paired_sample(pairs, part))
    ]
    enough = min(len(contrast.parts), FEWEST_ORDERS)
    if any(not part for part in contrast.parts):
        enough = len(contrast.parts)
    return known if len(known) >= enough else []


def _evidence(
    parts: Sequence[Mapping[str, float]],
    samples: Mapping[str, Sample],
    rights: Mapping[str, Sequence[numpy.ndarray]],
    complete: bool,
    given_images: bool,
    pairs: BySeed | None,
) -> _Evidence:
    weights = mean_weights(parts)
    if pairs is not None and weights and (paired := paired_sample(pairs, weights)):
        rights = paired_rights(rights, pairs, weights)
        samples, weights, parts = {PAIRS: paired}, {PAIRS: 1.0}, [{PAIRS: 1.0}]
    images = over_images(rights, weights)
    seeds = over_seeds(samples, parts, complete=complete)
    total = seeds if given_images else seeds.plus(images)
    return _Evidence(samples=samples, weights=weights, seeds=seeds, images=images, total=total)


def _verdict(
    contrast: Contrast,
    parts: Sequence[Mapping[str, float]],
    evidence: _Evidence | None,
    p: float | None,
    rules: _Rules,
) -> Verdict:
    blank = Verdict(
        step=contrast.step, title=contrast.title, group=contrast.group, n=0, verdict="lacks runs"
    )
    if evidence is None:
        return blank
    if not any(parts):
        return replace(blank, difference=0.0, verdict="changes nothing here")
    total, seeds, images = evidence.total, evidence.seeds, evidence.images
    sampled = len(parts) >= FEWEST_ORDERS and not contrast.complete
    margin = 0.0 if sampled and len(parts) < ENOUGH_ORDERS else rules.margin
    words = verdict_words(total, p, margin, rules.looks, rules.measure)
    needed, fewest, most = None, None, None
    if words == UNDECIDED and len(parts) < FEWEST_ORDERS:
        counted = images if total is not seeds else None
        asked = (evidence.samples, evidence.weights, rules.strictest, counted)
        needed, (fewest, most) = seeds_needed(*asked), range_needed(*asked)
    low, high = total.interval() or (None, None)
    seeds_low, seeds_high = seeds.interval() or (None, None)
    images_low, images_high = _ends(images)
    return replace(
        blank,
        verdict=words,
        n=min((evidence.samples[name].n for name in evidence.weights), default=0),
        difference=total.value,
        low=low,
        high=high,
        p_alone=total.p,
        p=p,
        smallest=total.smallest(rules.strictest),
        needed=needed,
        needed_low=fewest,
        needed_high=most,
        images_low=images_low,
        images_high=images_high,
        seeds_low=seeds_low,
        seeds_high=seeds_high,
    )


def _ends(images: Estimate | None) -> tuple[float, float] | tuple[None, None]:
    """Return the interval over images, of no width if their error is zero."""
    if images is None:
        return None, None
    return images.interval() or (images.value, images.value)


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
