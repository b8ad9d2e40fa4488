"""The error of a difference that comes from the validation images."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from math import sqrt

import numpy

from analysis.verdicts.statistics import Estimate


def right(correct: str) -> numpy.ndarray:
    """Unpack which validation images a run had right: 0 or 1 per image, eight in a byte."""
    return numpy.unpackbits(numpy.frombuffer(base64.b64decode(correct), dtype=numpy.uint8))


def over_images(
    rights: Mapping[str, Sequence[numpy.ndarray]], weights: Mapping[str, float]
) -> Estimate | None:
    """Return a difference with the error of other validation images, for the same seeds.

    `rights` says, by variant, which images each run had right. None if a variant lacks them, or if
    runs have different numbers of images.
    """
    if not weights or any(name not in rights for name in weights):
        return None
    sizes = {len(run) for name in weights for run in rights[name]}
    if len(sizes) > 1:
        return None
    images = sizes.pop()
    differences = numpy.zeros(images)
    for name, weight in weights.items():
        differences += weight * 100 * numpy.mean(rights[name], axis=0)
    error = float(differences.std(ddof=1)) / sqrt(images) if images > 1 else 0.0
    return Estimate(value=float(differences.mean()), error=error, freedom=images - 1)
