"""Detection: the Lightning task around torchvision's Faster R-CNN and Mask R-CNN."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from experiments.data.splits import Split
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.scenes import Scenes
from experiments.tasks.average_precision import (
    Detections,
    annotations_of,
    average_precision,
    encoded,
)
from experiments.tasks.per_image import Result
from experiments.tasks.scene_task import SceneTask, on_device
from roadmap.tasks import Detection

MASK = 0.5  # probability from which on a pixel belongs to an object


class DetectionTask(SceneTask):
    """Trains a detector by the sum of its losses; its numbers are COCO's average precisions.

    The objects of `validation` have labels below `classes`.
    """

    main = ("box_ap", "mask_ap")

    def batch_loss(self, batch: Scenes, micro_batch: int) -> Tensor:
        """Return the sum of the losses of regions, boxes, classes and masks."""
        with isolated_rng():
            seed_rng(self.seed, self.global_step, micro_batch)
            losses = self.network(list(batch.images), list(batch.targets))
        return torch.stack(list(losses.values())).sum()

    def numbers(
        self, results: Mapping[int, Detections], split: Split, *, per_image: bool
    ) -> list[Result]:
        """Return the average precisions of boxes, and of masks if the network finds them."""
        assert split.objects is not None and isinstance(self.recipe.task, Detection)
        numbers = range(len(split))
        detections = [results[number] for number in numbers]
        truth = [annotations_of(split.objects(number)) for number in numbers]
        return [
            result
            for kind in (("box", "mask") if self.recipe.task.has_masks else ("box",))
            for result in average_precision(
                detections, truth, classes=self.classes, kind=kind, per_image=per_image
            )
        ]

    def predicted(self, batch: Scenes, device: torch.device | None = None) -> dict[int, Detections]:
        """Return what the validated network detects, by the numbers of the images."""
        if not batch.images:
            return {}
        outputs = self.validated.eval()(on_device(batch, device))
        return dict(zip(batch.numbers, map(detections_of, outputs), strict=True))


def detections_of(output: dict[str, Tensor]) -> Detections:
    """Return torchvision's output for one image; there the background is label 0."""
    masks = output.get("masks")
    return Detections(
        boxes=output["boxes"].float().cpu().numpy(),
        scores=output["scores"].float().cpu().numpy(),
        labels=output["labels"].cpu().numpy() - 1,
        masks=None if masks is None else encoded((masks[:, 0] > MASK).cpu().numpy()),
    )
