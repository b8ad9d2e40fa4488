"""Accuracy of a trained network on images other than the validation images."""

from __future__ import annotations

import torch

from experiments.data.splits import DataSet, Split
from experiments.loading.views import Evaluated
from experiments.training.task import Classification

MOST = 2_000  # training images


def final_accuracies(task: Classification, data: DataSet, device: torch.device) -> dict[str, float]:
    """Return percentages of the validated weights, for the record's metrics.

    `train_top1` is on training images without augmentation, at most 2,000 spread over all: it tells
    whether a row is underfitted. `select_top1` is on the select split, if the data set has one:
    settings are chosen by it, never on the validation images. Both are computed in 32 bits.
    """
    count = min(MOST, len(data.train))
    spread = [number * len(data.train) // count for number in range(count)]
    accuracies = {"train_top1": _accuracy(task, data.train, spread, data, device)}
    if data.select is not None:
        everything = list(range(len(data.select)))
        accuracies["select_top1"] = _accuracy(task, data.select, everything, data, device)
    return accuracies


@torch.no_grad()
def _accuracy(
    task: Classification, split: Split, places: list[int], data: DataSet, device: torch.device
) -> float:
    recipe = task.recipe
    views = Evaluated(split, recipe, data.statistics(recipe), hold=False)
    task.validated.to(device)
    size = task.full or 128  # a compiled network takes batches of this size
    right = 0
    for start in range(0, len(places), size):
        images, labels = views[places[start : start + size]]
        guesses = task.logits(images.to(device)).argmax(1).cpu()
        right += int((guesses == labels).sum())
    return round(100 * right / len(places), 4)
