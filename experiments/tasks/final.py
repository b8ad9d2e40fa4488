"""What is measured once, at the end of a run: on other images too, and image by image."""

from __future__ import annotations

import torch

from experiments.data.splits import DataSet
from experiments.loading.loaders import evaluation_views
from experiments.tasks.per_image import evaluations
from experiments.tasks.task import Task
from roadmap.evaluation import Evaluation

MOST = {"classification": 2_000, "detection": 200, "segmentation": 200}  # training images
DIGITS = 6  # of a percentage


def final_numbers(
    task: Task, data: DataSet, device: torch.device
) -> tuple[dict[str, float], dict[str, Evaluation]]:
    """Return a record's `metrics` of the validated weights, and its `evaluations`.

    Numbers with `train_` are on training images without augmentation, spread over all: they tell
    whether a row is underfitted. Those with `select_` are on the select split, if the data set has
    one: settings are chosen by them, never by the validation images. Those of other tasks than
    classification on the validation images have no prefix, and a share of each image. All are
    computed in 32 bits.
    """
    name = task.recipe.task_name
    count = min(MOST[name], len(data.train))
    spread = [number * len(data.train) // count for number in range(count)]
    splits = {"train_": data.train.only(spread)}
    if data.select is not None:
        splits["select_"] = data.select
    metrics: dict[str, float] = {}
    for prefix, split in splits.items():
        views = evaluation_views(split, task.recipe, data.statistics(task.recipe))
        for result in task.measure(split, views, device, per_image=False):
            if result.key in task.main:
                metrics[prefix + result.key] = round(100 * result.value, DIGITS)
    if name == "classification":
        return metrics, {}
    views = evaluation_views(data.val, task.recipe, data.statistics(task.recipe))
    own, described = evaluations(
        task.measure(data.val, views, device, per_image=True),
        data=data.source.fingerprint,
        data_name=data.source.name,
        image_size=task.recipe.image_size,
    )
    return own | metrics, described
