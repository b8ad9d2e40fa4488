"""Measures from logits and labels: accuracy, calibration, recall. A new one is an entry here.

Dimensions: logits (images, classes), labels (images,).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_calibration_error

from roadmap.evaluation import Better

BINS = 15  # of the calibration error, as in Guo et al. (2017)


@dataclass(frozen=True, kw_only=True)
class Number:
    """One measured number; `scores` has the result of each image, (images,), if it is their mean.

    The number of a percentage is 100 times that mean. Results that are multiples of 1 / `parts` are
    stored as such.
    """

    key: str
    label: str
    value: float
    unit: str = ""
    better: Better = "higher"
    decimals: int = 1
    scores: Tensor | None = None
    parts: int = 0


def _mean(key: str, label: str, scores: Tensor, unit: str = "%", **more: object) -> Number:
    scores = scores.float()
    scale = 100 if unit == "%" else 1
    value = scale * float(scores.mean(dtype=torch.float64))
    return Number(key=key, label=label, value=value, unit=unit, scores=scores, **more)  # type: ignore[arg-type]


def top1(logits: Tensor, labels: Tensor) -> Number:
    """Return the percentage of images whose first guess is right."""
    return _mean("top1", "top-1", logits.argmax(1) == labels)


def top5(logits: Tensor, labels: Tensor) -> Number:
    """Return the percentage of images with the right class among five guesses."""
    shown = min(5, logits.shape[1])
    return _mean("top5", "top-5", (logits.topk(shown).indices == labels[:, None]).any(1))


def loss(logits: Tensor, labels: Tensor) -> Number:
    """Return the mean cross-entropy, in nats."""
    losses = nn.functional.cross_entropy(logits, labels, reduction="none")
    return _mean("loss", "loss", losses, unit="", better="lower", decimals=3)


def calibration_error(logits: Tensor, labels: Tensor) -> Number:
    """Return the expected calibration error: |confidence − accuracy|, mean over 15 bins, in %."""
    error = multiclass_calibration_error(
        logits.softmax(1), labels, num_classes=logits.shape[1], n_bins=BINS, norm="l1"
    )
    return Number(
        key="calibration_error",
        label="calibration error",
        value=100 * float(error),
        unit="%",
        better="lower",
        decimals=2,
    )


MEASURES: tuple[Callable[[Tensor, Tensor], Number], ...] = (top1, top5, loss, calibration_error)


def recalls(logits: Tensor, labels: Tensor, names: Sequence[str]) -> Iterator[Number]:
    """Yield the mean and the lowest recall of the classes, then that of each class that has images.

    The mean over classes is also called balanced accuracy.
    """
    right = logits.argmax(1) == labels
    by_class = {
        name: right[labels == index]
        for index, name in enumerate(names)
        if bool((labels == index).any())
    }
    numbers = [
        _mean(f"recall:{name}", f"recall of {name}", scores) for name, scores in by_class.items()
    ]
    values = [number.value for number in numbers]
    mean = sum(values) / len(values)
    yield Number(key="mean_recall", label="mean recall of classes", value=mean, unit="%")
    yield Number(key="worst_recall", label="lowest recall of a class", value=min(values), unit="%")
    yield from numbers


def all_numbers(logits: Tensor, labels: Tensor, names: Sequence[str]) -> list[Number]:
    """Return all measures of one network on one set of images."""
    return [*(measure(logits, labels) for measure in MEASURES), *recalls(logits, labels, names)]
