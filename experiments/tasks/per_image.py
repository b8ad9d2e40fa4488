"""Numbers of a whole validation split, with a share of each image: the jackknife's pseudo-values.

An average precision is no mean over images. Tukey's pseudo-value of an image is n × the number of
all n images − (n − 1) × the number without this image. The variance of the mean of pseudo-values is
the jackknife's variance of the number, so verdicts read them as they read a result of each image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from roadmap.evaluation import Evaluation, pack_scores


@dataclass(frozen=True, kw_only=True)
class Result:
    """One number of a split, on a scale of 0 to 1.

    `scores` is float64 (images,), with the number as its mean, and may lie outside 0 to 1. It is
    None if the number does not exist without one of the images.
    """

    key: str
    label: str
    value: float
    images: int
    scores: numpy.ndarray | None = None


def pseudo_values(whole: float, without: numpy.ndarray) -> numpy.ndarray | None:
    """Return the pseudo-value of each image, float64 (images,), with `whole` as their mean.

    `without` has the number without each image, NaN if there is none. Return None in that case, and
    for a single image.
    """
    if len(without) < 2 or numpy.isnan(without).any():
        return None
    pseudo = len(without) * whole - (len(without) - 1) * without
    return pseudo + (whole - pseudo.mean())


def evaluations(
    results: Sequence[Result], *, data: str, data_name: str, image_size: int
) -> tuple[dict[str, float], dict[str, Evaluation]]:
    """Return the `metrics` and `evaluations` of a record: percentages, with a score of each image.

    `data` is the fingerprint of the images, `data_name` their name, and `image_size` the recipe's.
    """
    metrics = {result.key: float(f"{100 * result.value:.9g}") for result in results}
    described = {
        result.key: Evaluation(
            label=result.label,
            unit="%",
            decimals=1,
            data=data,
            data_name=data_name,
            images=result.images,
            image_size=image_size,
            crop=1.0,
            scores="" if result.scores is None else pack_scores(result.scores.tolist()),
        )
        for result in results
    }
    return metrics, described
