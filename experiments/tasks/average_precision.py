"""COCO's average precision of boxes and masks, with a share of each image.

pycocotools matches detections to objects, image by image. Leaving an image out changes no match,
only how matches are accumulated, so `without_each` computes the numbers without each image exactly.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import numpy
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from experiments.data.scene import Objects
from experiments.tasks.leave_one_out import Matches, without_each
from experiments.tasks.per_image import Result, pseudo_values

Kind = Literal["box", "mask"]
_IOU = {"box": "bbox", "mask": "segm"}
_THRESHOLDS, _HALF, _THREE_QUARTERS = slice(None), slice(0, 1), slice(5, 6)  # 0.50, 0.55, … 0.95
_NUMBERS: tuple[tuple[str, str, int, slice], ...] = (  # in the order of COCOeval.stats
    ("ap", "AP", 0, _THRESHOLDS),
    ("ap50", "AP50", 0, _HALF),
    ("ap75", "AP75", 0, _THREE_QUARTERS),
    ("ap_small", "AP, small objects", 1, _THRESHOLDS),
    ("ap_medium", "AP, medium objects", 2, _THRESHOLDS),
    ("ap_large", "AP, large objects", 3, _THRESHOLDS),
)  # name, label, index of COCO's range of areas, IoU thresholds


@dataclass(frozen=True, kw_only=True)
class Detections:
    """The detections of one image, in any order.

    `boxes` is (detections, 4): left, top, right, bottom in pixels. `scores` is (detections,) and
    `labels` int (detections,), from 0. `masks` is uint8 or bool (detections, height, width), or
    COCO's compressed run lengths (`encoded`), or None.
    """

    boxes: numpy.ndarray
    scores: numpy.ndarray
    labels: numpy.ndarray
    masks: numpy.ndarray | Sequence[Mapping[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self.scores)


def encoded(masks: numpy.ndarray) -> list[dict[str, Any]]:
    """Return the masks, (n, height, width), as COCO's compressed run lengths."""
    if not len(masks):
        return []
    ordered = numpy.asfortranarray(numpy.moveaxis(masks.astype(numpy.uint8), 0, 2))
    return run_lengths.encode(ordered)


def decoded(masks: Sequence[Mapping[str, Any]]) -> numpy.ndarray:
    """Return the masks of COCO's run lengths, uint8 (n, height, width); there must be one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy, inside pycocotools
        return numpy.moveaxis(run_lengths.decode(list(masks)), 2, 0)


def annotations_of(objects: Objects) -> list[dict[str, Any]]:
    """Return the objects of one image as annotations of COCO's format, their masks compressed."""
    lines = _lines(objects.boxes, objects.labels)
    parts = zip(lines, objects.crowd, objects.areas, encoded(objects.masks), strict=True)
    for line, crowd, area, mask in parts:
        line.update(iscrowd=int(crowd), area=float(area), segmentation=mask)
    return lines


def average_precision(
    detections: Sequence[Detections],
    truth: Sequence[Sequence[Mapping[str, Any]]],
    *,
    classes: int,
    kind: Kind,
    per_image: bool = True,
) -> list[Result]:
    """Return COCO's six numbers of boxes or masks, with the pseudo-value of each image.

    Keys are `box_ap`, `box_ap50`, `box_ap75`, `box_ap_small`, `_medium` and `_large`, or `mask_…`.
    A number without any object to find is left out. `detections` and `truth` (`annotations_of`)
    have an entry for each image, in the same order; labels are below `classes`. At most 100
    detections of a class count in an image. Without `per_image`, results have no scores.
    """
    evaluation = matched(detections, truth, classes=classes, kind=kind)
    whole = evaluation.stats[: len(_NUMBERS)].tolist()
    count = len(truth)
    without = _without(evaluation, count) if per_image and count > 1 else None
    results = []
    for (name, label, area, thresholds), value in zip(_NUMBERS, whole, strict=True):
        if value < 0:  # no object of this size
            continue
        scores = None
        if without is not None:
            scores = pseudo_values(value, without.mean(area=area, thresholds=thresholds))
        results.append(
            Result(
                key=f"{kind}_{name}",
                label=f"{kind} {label}",
                value=value,
                images=count,
                scores=scores,
            )
        )
    return results


def matched(
    detections: Sequence[Detections],
    truth: Sequence[Sequence[Mapping[str, Any]]],
    *,
    classes: int,
    kind: Kind,
) -> COCOeval:
    """Return pycocotools' evaluation, accumulated and summarized, without a word printed."""
    found = [_found(item, image, kind) for image, item in enumerate(detections)]
    with redirect_stdout(io.StringIO()):
        evaluation = COCOeval(
            _coco(truth, classes=classes),
            _coco(found, classes=classes),
            _IOU[kind],
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _coco(annotations: Sequence[Sequence[Mapping[str, Any]]], *, classes: int) -> COCO:
    """Return COCO's data set in memory; numbers start at 1, as 0 means "no match" there."""
    lines = [
        {"image_id": image + 1, **line} for image, own in enumerate(annotations) for line in own
    ]
    coco = COCO()
    coco.dataset = {
        # run lengths know their own size, so that of images is not read
        "images": [{"id": image + 1, "height": 0, "width": 0} for image in range(len(annotations))],
        "categories": [{"id": label + 1} for label in range(classes)],
        "annotations": [{"id": number + 1, **line} for number, line in enumerate(lines)],
    }
    coco.createIndex()
    return coco


def _lines(boxes: numpy.ndarray, labels: numpy.ndarray) -> list[dict[str, Any]]:
    corners = numpy.asarray(boxes, dtype=numpy.float64).reshape(-1, 4)
    sides = numpy.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    return [
        {"category_id": int(label) + 1, "bbox": side}
        for label, side in zip(labels, sides.tolist(), strict=True)
    ]


def _found(detections: Detections, image: int, kind: Kind) -> list[dict[str, Any]]:
    lines = _lines(detections.boxes, detections.labels)
    for line, score in zip(lines, detections.scores, strict=True):
        line.update(iscrowd=0, area=line["bbox"][2] * line["bbox"][3], score=float(score))
    if kind == "mask":
        if detections.masks is None:
            raise ValueError(f"image {image} has detections without masks")
        masks = detections.masks
        coded = encoded(masks) if isinstance(masks, numpy.ndarray) else masks
        for line, mask in zip(lines, coded, strict=True):
            line.update(segmentation=mask, area=float(run_lengths.area(mask)))
    return lines


def _without(evaluation: COCOeval, images: int) -> Any:
    """Return the precision without each image, from the matches of all."""
    parameters = evaluation.params
    items = iter(evaluation.evalImgs)  # by class, then by range of areas, then by image
    groups = [
        Matches.of([next(items) for _ in range(images)])
        for _ in parameters.catIds
        for _ in parameters.areaRng
    ]
    areas = len(parameters.areaRng)
    return without_each(groups, areas=areas, images=images, recalls=parameters.recThrs)
