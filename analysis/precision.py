"""How little an accuracy can tell: chance, a comparison of pixels, images, seeds, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from statistics import fmean, median, stdev
from typing import Any

from analysis.measures import TOP1, Measure, main_measure
from roadmap.evaluation import unpack_scores
from roadmap.record import Record

Z = 1.96  # 95 %
FEW = 500  # validation images
PIXELS = {"nearest_neighbour": "nearest training image", "nearest_mean": "nearest class mean"}


def half_width(per_cent: float, images: int) -> float:
    """Return half of the 95 % interval (Wilson) of a share of this many images, in points."""
    share = per_cent / 100
    spread = sqrt(share * (1 - share) / images + (Z / images / 2) ** 2)
    return 100 * Z * spread / (1 + Z**2 / images)


def precision(rows: Mapping[str, Sequence[Record]], measure: Measure) -> tuple[str, ...]:
    """Return sentences about the numbers of rows: accuracies, and main measures of other tasks."""
    means = [fmean(values) for runs in rows.values() if (values := measure.values(runs))]
    if means and measure == main_measure(measure.tasks[0]) != TOP1:
        return (*_jackknife(rows, measure), *_one_run(means, rows, measure))
    if not measure.of_images or not means:
        return ()
    data = next(run.data for runs in rows.values() for run in runs)
    images, middle = data["val"], median(means)
    half = half_width(middle, images)
    told = [
        f"{images:,} validation images: the accuracy of one network is known to ±{half:.1f} points "
        f"(95 % binomial interval at {middle:.0f} %)",
        f"for comparison: {_references(data)}",
    ]
    if images < FEW:
        told.append(
            f"with fewer than {FEW} validation images, a difference below {sqrt(2) * half:.0f} "
            "points between two networks can come from the choice of images"
        )
    return (*told, *_one_run(means, rows, measure))


def _one_run(
    means: Sequence[float], rows: Mapping[str, Sequence[Record]], measure: Measure
) -> Iterator[str]:
    if len(means) > 1 and all(len(measure.values(runs)) < 2 for runs in rows.values()):
        yield (
            "one run per row: the spread over seeds is unknown, so no difference between rows "
            "in this table is evidence for a step"
        )


def _jackknife(rows: Mapping[str, Sequence[Record]], measure: Measure) -> Iterator[str]:
    """Say how well the number of one network is known: the median over runs with scores."""
    halves, images = [], 0
    for run in (run for runs in rows.values() for run in runs):
        text = measure.scores(run) if measure.scores else ""
        if text and (images := run.evaluations[measure.key].images) > 1:
            spread = stdev(unpack_scores(text)[:images])
            halves.append(100 * Z * spread / sqrt(images))
    if halves:
        yield (
            f"{images:,} validation images: the {measure.label} of one network is known to "
            f"±{median(halves):.1f} points (95 % interval of the jackknife over images)"
        )


def _references(data: Mapping[str, Any]) -> str:
    """Return `chance 10.0 %, nearest training image by pixels 27.9 %`."""
    known = data.get("references")
    pixels = known if isinstance(known, Mapping) else {}
    parts = [f"chance {100 / data['classes']:.1f} %"]
    parts += [
        f"{words} by pixels {pixels[key]:.1f} %"
        for key, words in PIXELS.items()
        if isinstance(pixels.get(key), int | float)
    ]
    return ", ".join(parts)
