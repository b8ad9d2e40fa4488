"""Contrasts and cells to verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import numpy
from scipy import stats

from analysis.verdicts.statistics import (
    Cell,
    Estimate,
    difference,
    holm,
    over_images,
    over_orders,
    seeds_needed,
)
from analysis.verdicts.verdict import ALPHA, UNDECIDED, Verdict
from steps.studies.contrast import Contrast
from steps.studies.study import Study

FEWEST_ORDERS = 3  # from which their spread tells of the mean over orders


def by_order(study: Study, cells: Mapping[str, Cell]) -> dict[str, tuple[float, ...]]:
    """Return what each step added in each sampled order, in points, by step."""
    known = {contrast.step: _known(contrast, cells) for contrast in study.contrasts}
    return {
        step: tuple(difference(cells, part).value if part else 0.0 for part in parts)
        for step, parts in known.items()
        if parts
    }


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
    verdict = verdict_words(estimate, p, margin, looks)
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


def verdict_words(estimate: Estimate, p: float | None, margin: float, looks: int) -> str:
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


def _over_images(
    rights: Mapping[str, Sequence[numpy.ndarray]], weights: Mapping[str, float]
) -> tuple[float, float] | None:
    if not weights or any(name not in rights for name in weights):
        return None
    sizes = {len(run) for name in weights for run in rights[name]}
    if len(sizes) > 1:
        return None
    return over_images(rights, weights, sizes.pop()).interval()
