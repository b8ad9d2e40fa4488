"""Which heads and which Lightning task belong to a recipe's task."""

from __future__ import annotations

from typing import Any

from torch import nn

from experiments.data.splits import DataSet, Statistics
from experiments.loading.samplers import Share
from experiments.tasks.classification import Classification
from experiments.tasks.losses import class_weights
from experiments.tasks.task import Task
from roadmap.spec import Recipe, Reference, Spec
from roadmap.tasks import Detection


def with_heads(network: nn.Module, spec: Spec, statistics: Statistics) -> nn.Module:
    """Return the network with the heads of its task; for classification it has its own.

    Raises Problem if it cannot be a backbone, or if a package is missing.
    """
    recipe, classes = spec.recipe, spec.network.classes
    if recipe.task is None:
        return network
    name = f"timm:{spec.network.timm}" if isinstance(spec.network, Reference) else "this row"
    if isinstance(recipe.task, Detection):
        from experiments.tasks.detector import detector

        return detector(network, recipe, classes=classes, statistics=statistics, name=name)
    from experiments.tasks.segmenter import segmenter

    return segmenter(network, recipe, classes=classes, name=name)


def make_task(
    network: nn.Module,
    spec: Spec,
    data: DataSet,
    *,
    steps_per_epoch: int,
    seed: int,
    share: Share,
    compiled: bool = False,
    graphs: bool = False,
) -> Task:
    """Return the Lightning task that trains a network with its heads.

    `compiled` and `graphs` say how a classifier is computed; see Classification.
    """
    recipe, classes = spec.recipe, spec.network.classes
    shared: dict[str, Any] = {"steps_per_epoch": steps_per_epoch, "seed": seed, "share": share}
    if recipe.task is None:
        weights = _class_weights(recipe, data)
        return Classification(
            network, recipe, classes=data.source.classes, compiled=compiled, graphs=graphs,
            weights=weights, **shared,
        )  # fmt: skip
    shared |= {"validation": data.val, "classes": classes}
    if isinstance(recipe.task, Detection):
        from experiments.tasks.detection import DetectionTask

        return DetectionTask(network, recipe, **shared)
    from experiments.tasks.segmentation import SegmentationTask

    names = data.source.names_for("segmentation")
    return SegmentationTask(network, recipe, class_names=names, **shared)


def _class_weights(recipe: Recipe, data: DataSet) -> Any:
    if recipe.class_weights != "balanced":
        return None
    return class_weights(data.train.labels, data.source.classes)
