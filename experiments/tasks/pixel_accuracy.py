"""Measures of label maps: mean IoU, pixel accuracy, and the IoU of each class.

All come from one confusion matrix per image. A class that occurs neither in the truth nor in the
predictions has no IoU and is left out of the mean, as in mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from experiments.data.scene import UNLABELLED
from experiments.tasks.per_image import Result, pseudo_values

MOST_SCORES = 100_000  # scores by class that a record keeps: images × classes


def confusion(predicted: numpy.ndarray, true: numpy.ndarray, *, classes: int) -> numpy.ndarray:
    """Return how many pixels have each pair of classes, int64 (true, predicted).

    Both maps are whole numbers of the same shape. Pixels whose true class is UNLABELLED do not
    count. Raises ValueError if shapes differ or a class is `classes` or above.
    """
    if predicted.shape != true.shape:
        raise ValueError(f"a map of {predicted.shape} was predicted for one of {true.shape}")
    known = true != UNLABELLED
    rows, columns = true[known].astype(numpy.int64), predicted[known].astype(numpy.int64)
    for name, labels in (("true", rows), ("predicted", columns)):
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            worst = labels.max() if labels.max() >= classes else labels.min()
            raise ValueError(f"{name} class {worst} is none of 0 to {classes - 1}")
    counts = numpy.bincount(rows * classes + columns, minlength=classes**2)
    return counts.reshape(classes, classes)


def pixel_results(confusions: Sequence[numpy.ndarray], *, names: Sequence[str]) -> list[Result]:
    """Return `miou`, `pixel_accuracy` and `iou:CLASS` of a split, with a score of each image.

    `confusions` has the matrix of each image, `names` the name of each class. Scores by class are
    left out if there are more than MOST_SCORES of them.
    """
    # Of each matrix only its diagonal, rows and columns count: (images, classes) each.
    hits = numpy.array([matrix.diagonal() for matrix in confusions], dtype=numpy.int64)
    true = numpy.array([matrix.sum(1) for matrix in confusions], dtype=numpy.int64)
    predicted = numpy.array([matrix.sum(0) for matrix in confusions], dtype=numpy.int64)
    union = true + predicted - hits
    pixels = true.sum(1)
    if not pixels.sum():
        return []
    by_class = _ratio(hits.sum(0), union.sum(0))
    by_class_without = _ratio(hits.sum(0) - hits, union.sum(0) - union)
    accuracy_without = _ratio(hits.sum() - hits.sum(1), pixels.sum() - pixels)
    images = len(confusions)

    def result(key: str, label: str, value: float, without: numpy.ndarray | None) -> Result:
        scores = None if without is None else pseudo_values(value, without)
        return Result(key=key, label=label, value=value, images=images, scores=scores)

    results = [
        result("miou", "mIoU", float(_mean(by_class)), _mean(by_class_without)),
        result(
            "pixel_accuracy",
            "pixel accuracy",
            float(hits.sum() / pixels.sum()),
            accuracy_without,
        ),
    ]
    few = by_class_without.size <= MOST_SCORES
    for label, name in enumerate(names):
        if union[:, label].any():
            without = by_class_without[:, label] if few else None
            results.append(result(f"iou:{name}", f"IoU of {name}", float(by_class[label]), without))
    return results


def _ratio(part: numpy.ndarray, whole: numpy.ndarray) -> numpy.ndarray:
    """Return part / whole, NaN where whole is 0."""
    return numpy.where(whole > 0, part / numpy.maximum(whole, 1), numpy.nan)


def _mean(shares: numpy.ndarray) -> numpy.ndarray:
    """Return the mean over the last axis of what is not NaN; NaN if all are."""
    known = ~numpy.isnan(shares)
    count = known.sum(-1)
    total = numpy.where(known, shares, 0.0).sum(-1)
    return numpy.where(count > 0, total / numpy.maximum(count, 1), numpy.nan)
