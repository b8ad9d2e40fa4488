"""What is known of an image besides one label: its objects, or the class of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

UNLABELLED = 255  # in a label map: this pixel counts neither in training nor in validation
MOST_CLASSES = 255  # of a label map


@dataclass(frozen=True, kw_only=True)
class Objects:
    """The objects of one image, in a fixed order.

    `boxes` is float32 (objects, 4): left, top, right, bottom in pixels. `labels` is int64
    (objects,), from 0. `masks` is uint8 (objects, height, width), 1 where the object is. `crowd` is
    bool (objects,): a region of many objects, which is not trained on and costs no detection.
    `areas` is float32 (objects,): pixels of the object, by which COCO tells small from large.
    """

    boxes: numpy.ndarray
    labels: numpy.ndarray
    masks: numpy.ndarray
    crowd: numpy.ndarray
    areas: numpy.ndarray
