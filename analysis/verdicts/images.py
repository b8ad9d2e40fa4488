"""The error of a difference that comes from the choice of validation images."""

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
    """Return a difference with the error of other validation images alone, without seed noise.

    `rights` says, by variant, which images each run had right, or the result of each image as a
    share. An image's mean over n runs also varies by the noise of seeds within images, 1/n of its
    variance over runs. That part belongs to the error of seeds and is subtracted; a variant with
    one run does not tell it. None if a variant lacks `rights`, or if runs have different numbers of
    images.
    """
    if not weights or any(name not in rights for name in weights):
        return None
    sizes = {len(run) for name in weights for run in rights[name]}
    if len(sizes) > 1 or max(sizes) < 2:
        return None
    images = sizes.pop()
    differences, noise = numpy.zeros(images), 0.0
    for name, weight in weights.items():
        share, runs = numpy.mean(rights[name], axis=0), len(rights[name])
        differences += weight * 100 * share
        if runs > 1:  # the mean over images of their variances over runs, divided by the runs
            spread = numpy.var(rights[name], axis=0, ddof=1)
            noise += (weight * 100) ** 2 * float(numpy.mean(spread)) / runs
    variance = max(0.0, float(differences.var(ddof=1)) - noise) / images
    return Estimate(value=float(differences.mean()), error=sqrt(variance), freedom=images - 1)
