"""COCO's precision without each image, from the matches of all images.

For one class, range of areas and IoU threshold, detections are ordered by score. COCO's precision
at a recall is the highest precision of that recall or above. It is reached at a true positive, so
only those are computed: a table with a row for each image left out and a column for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

CELLS = 4_000_000  # of a table at once


@dataclass(frozen=True, kw_only=True)
class Matches:
    """What COCOeval matched of one class in one range of areas.

    `images` is (detections,): the image of each, by falling score. `right` and `wrong` are bool
    (thresholds, detections); an ignored detection is neither. `objects` is (images,): how many are
    to be found in each.
    """

    images: numpy.ndarray
    right: numpy.ndarray
    wrong: numpy.ndarray
    objects: numpy.ndarray

    @classmethod
    def of(cls, items: Sequence[dict[str, Any] | None]) -> Matches | None:
        """Return the matches from `evalImgs`, one entry per image; None without any object."""
        there = [(image, item) for image, item in enumerate(items) if item is not None]
        objects = numpy.zeros(len(items), dtype=numpy.int64)
        for image, item in there:
            objects[image] = numpy.count_nonzero(item["gtIgnore"] == 0)
        if not objects.any():
            return None
        scores = numpy.concatenate([item["dtScores"] for _, item in there])
        order = numpy.argsort(-scores, kind="mergesort")
        found = numpy.concatenate([item["dtMatches"] for _, item in there], axis=1)[:, order] > 0
        ignored = numpy.concatenate([item["dtIgnore"] for _, item in there], axis=1)[:, order]
        ignored = ignored.astype(bool)
        counts = [len(item["dtScores"]) for _, item in there]
        images = numpy.repeat([image for image, _ in there], counts)[order]
        return cls(
            images=images.astype(numpy.int64),
            right=found & ~ignored,
            wrong=~found & ~ignored,
            objects=objects,
        )


@dataclass(frozen=True, kw_only=True)
class Without:
    """The sum over classes of COCO's precision, without each image.

    `sums` is (areas, thresholds, images), `classes` (areas, images): how many classes have objects.
    """

    sums: numpy.ndarray
    classes: numpy.ndarray

    def mean(self, *, area: int, thresholds: slice) -> numpy.ndarray:
        """Return the average precision without each image; NaN if no object is left."""
        total = self.sums[area, thresholds].mean(0)
        left = self.classes[area]
        return numpy.where(left > 0, total / numpy.maximum(left, 1), numpy.nan)


def without_each(
    groups: Sequence[Matches | None], *, areas: int, images: int, recalls: numpy.ndarray
) -> Without:
    """Return the precision without each image; `groups` are by class, then by range of areas."""
    thresholds = next((len(group.right) for group in groups if group is not None), 1)
    sums = numpy.zeros((areas, thresholds, images))
    classes = numpy.zeros((areas, images), dtype=numpy.int64)
    for number, group in enumerate(groups):
        if group is None:
            continue
        area = number % areas
        classes[area] += group.objects.sum() > group.objects
        for threshold in range(thresholds):
            sums[area, threshold] += _precisions(group, threshold, recalls)
    return Without(sums=sums, classes=classes)


def _precisions(group: Matches, threshold: int, recalls: numpy.ndarray) -> numpy.ndarray:
    """Return the mean precision over all recalls without each image, (images,)."""
    right, wrong = group.right[threshold], group.wrong[threshold]
    places = numpy.flatnonzero(right)
    if not len(places):
        return numpy.zeros(len(group.objects))
    before = numpy.cumsum(wrong)[places]
    wrong_places = numpy.searchsorted(places, numpy.flatnonzero(wrong))
    seen = wrong_places < len(places)  # what scores less than all true positives does not count
    owners, wrong_owners = group.images[places], group.images[wrong][seen]
    wrong_places = wrong_places[seen]

    concerned = group.objects > 0
    concerned[owners] = concerned[wrong_owners] = True
    rows = numpy.flatnonzero(concerned)
    total = int(group.objects.sum())
    left = total - group.objects[rows]
    means = numpy.empty(len(rows) + 1)  # the last is that of all images
    row_of = numpy.full(len(group.objects), -1)
    step = max(1, CELLS // len(places))
    for start in range(0, len(means), step):
        some = rows[start : start + step]
        count = min(step, len(means) - start)
        row_of[:] = -1
        row_of[some] = numpy.arange(len(some))
        out = _table(row_of[owners], numpy.arange(len(places)), count, len(places))
        wrong_out = _table(row_of[wrong_owners], wrong_places, count, len(places))
        ranks = numpy.arange(1, len(places) + 1) - out.cumsum(1)
        wrongs = before - wrong_out.cumsum(1)
        precision = ranks / (wrongs + ranks + numpy.spacing(1))
        precision[out > 0] = 0
        objects = numpy.append(left, total)[start : start + count]
        means[start : start + count] = _at_recalls(precision, ranks, objects, recalls)
    precisions = numpy.full(len(group.objects), means[-1])
    precisions[rows] = means[:-1]
    return precisions


def _table(rows: numpy.ndarray, columns: numpy.ndarray, height: int, width: int) -> numpy.ndarray:
    """Return how often each (row, column) occurs, (height, width); row -1 is left out."""
    inside = rows >= 0
    cells = numpy.bincount(rows[inside] * width + columns[inside], minlength=height * width)
    return cells.reshape(height, width)


def _at_recalls(
    precision: numpy.ndarray, ranks: numpy.ndarray, objects: numpy.ndarray, recalls: numpy.ndarray
) -> numpy.ndarray:
    """Return each row's mean over recalls of the highest precision from there on.

    `ranks` counts the true positives of each row up to each column. A recall that no true positive
    reaches has precision 0. With no object left the mean is 0.
    """
    height, width = precision.shape
    highest = numpy.zeros((height, width + 1))
    highest[:, :width] = numpy.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    needed = numpy.full((height, len(recalls)), width + 1)
    for count in numpy.unique(objects).tolist():
        if count:
            reached = numpy.searchsorted(numpy.arange(1, count + 1) / count, recalls, side="left")
            needed[objects == count] = numpy.minimum(reached + 1, width + 1)
    offsets = numpy.arange(height)[:, None] * (width + 2)  # so that all rows are one rising list
    columns = numpy.searchsorted((ranks + offsets).ravel(), (needed + offsets).ravel())
    columns = columns.reshape(needed.shape) - numpy.arange(height)[:, None] * width
    return numpy.take_along_axis(highest, columns, axis=1).mean(1)
