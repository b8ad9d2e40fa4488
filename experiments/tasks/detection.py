"""Detection: the Lightning task around torchvision's Faster R-CNN and Mask R-CNN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from experiments.data.splits import Split
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import Share
from experiments.loading.scenes import Scenes
from experiments.loading.views import Views
from experiments.tasks.average_precision import Detections, average_precision, encoded
from experiments.tasks.per_image import Result
from experiments.tasks.task import Task, everyones
from roadmap.spec import Recipe
from roadmap.tasks import Detection

MASK = 0.5  # probability from which on a pixel belongs to an object


class DetectionTask(Task):
    """Trains a detector by the sum of its losses; its numbers are COCO's average precisions.

    `validation` are the images and objects that it is validated on, with labels below `classes`.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        *,
        validation: Split,
        classes: int,
        steps_per_epoch: int,
        seed: int,
        share: Share | None = None,
    ) -> None:
        super().__init__(network, recipe, steps_per_epoch=steps_per_epoch, seed=seed, share=share)
        assert isinstance(recipe.task, Detection)
        self.validation, self.classes, self.masks = validation, classes, recipe.task.has_masks
        self.found: dict[int, Detections] = {}

    def batch_loss(self, batch: Scenes, micro_batch: int) -> Tensor:
        """Return the sum of the losses of regions, boxes, classes and masks."""
        with isolated_rng():
            seed_rng(self.seed, self.global_step, micro_batch)
            losses = self.network(list(batch.images), list(batch.targets))
        return torch.stack(list(losses.values())).sum()

    def start_validation(self) -> None:
        """Forget what was found."""
        self.found = {}

    def validation_step(self, batch: Scenes, batch_idx: int) -> None:
        """Detect objects in a batch."""
        self.found |= self.predicted(batch)

    def validated_numbers(self) -> dict[str, float]:
        """Return box_ap and maybe mask_ap, in per cent."""
        found = everyones(self.found, self.share.world)
        return {
            result.key: round(100 * result.value, 4)
            for result in self._results(found, self.validation, per_image=False)
            if result.key in ("box_ap", "mask_ap")
        }

    @torch.no_grad()
    def measure(
        self, split: Split, views: Views, device: torch.device, *, per_image: bool
    ) -> list[Result]:
        """Return all average precisions."""
        self.validated.to(device)
        found: dict[int, Detections] = {}
        size = self.recipe.batch // self.share.micro_batches
        for start in range(0, len(split), size):
            found |= self.predicted(views[range(start, min(start + size, len(split)))], device)
        return self._results(found, split, per_image=per_image)

    def _results(
        self, found: dict[int, Detections], split: Split, *, per_image: bool
    ) -> list[Result]:
        assert split.objects is not None
        numbers = range(len(split))
        detections = [found[number] for number in numbers]
        objects = [split.objects(number) for number in numbers]
        return [
            result
            for kind in (("box", "mask") if self.masks else ("box",))
            for result in average_precision(
                detections, objects, classes=self.classes, kind=kind, per_image=per_image
            )
        ]

    def predicted(self, batch: Scenes, device: torch.device | None = None) -> dict[int, Detections]:
        """Return what the validated network detects, by the numbers of the images."""
        if not batch.images:
            return {}
        images = [image.to(device) if device is not None else image for image in batch.images]
        outputs = self.validated.eval()(images)
        return dict(zip(batch.numbers, map(detections_of, outputs), strict=True))


def detections_of(output: dict[str, Tensor]) -> Detections:
    """Return torchvision's output for one image; there the ground is label 0."""
    masks = output.get("masks")
    return Detections(
        boxes=output["boxes"].float().cpu().numpy(),
        scores=output["scores"].float().cpu().numpy(),
        labels=output["labels"].cpu().numpy() - 1,
        masks=None if masks is None else encoded((masks[:, 0] > MASK).cpu().numpy()),
    )
