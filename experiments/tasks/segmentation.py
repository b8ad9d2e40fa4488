"""Segmentation: the Lightning task around a head that tells the class of every pixel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import torch
from torch import Tensor, nn

from experiments.data.scene import UNLABELLED
from experiments.data.splits import Split
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import Share
from experiments.loading.scenes import Scenes
from experiments.loading.views import Views
from experiments.tasks.per_image import Result
from experiments.tasks.pixel_accuracy import confusion, pixel_results
from experiments.tasks.task import Task, everyones
from roadmap.errors import Problem
from roadmap.spec import Recipe
from roadmap.tasks import Segmentation


class SegmentationTask(Task):
    """Trains a segmenter by the cross-entropy of all pixels; its numbers are mIoU and accuracy.

    Unlabelled pixels add nothing to the loss, whose mean is over all pixels, so a step is the same
    however it is shared out.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        *,
        classes: int,
        steps_per_epoch: int,
        seed: int,
        share: Share | None = None,
        class_names: tuple[str, ...],
    ) -> None:
        super().__init__(network, recipe, steps_per_epoch=steps_per_epoch, seed=seed, share=share)
        assert isinstance(recipe.task, Segmentation)
        self.task, self.classes, self.class_names = recipe.task, classes, class_names
        self.counted: dict[
            int, numpy.ndarray
        ] = {}  # of each image, the confusion matrix of its pixels

    def batch_loss(self, batch: Scenes, micro_batch: int) -> Tensor:
        """Return the loss, with that of the auxiliary head times its weight."""
        labels = torch.stack(batch.targets)
        images = torch.stack(batch.images).contiguous(memory_format=torch.channels_last)
        with isolated_rng():
            seed_rng(self.seed, self.global_step, micro_batch)
            logits, auxiliary = self.network(images)
        loss = pixel_loss(logits, labels)
        if auxiliary is not None:
            loss = loss + self.task.auxiliary * pixel_loss(auxiliary, labels)
        return loss

    def start_validation(self) -> None:
        """Forget what was counted."""
        self.counted = {}

    def validation_step(self, batch: Scenes, batch_idx: int) -> None:
        """Count the pixels of each true class by the class that is told."""
        self.counted |= self._counted(batch)

    def validated_numbers(self) -> dict[str, float]:
        """Return miou and pixel_accuracy, in per cent. Raises Problem without a labelled pixel."""
        counted = everyones(self.counted, self.share.world)
        if not any(matrix.any() for matrix in counted.values()):
            raise Problem("no pixel of the validation images has a class; there is no mIoU")
        return {
            result.key: round(100 * result.value, 4)
            for result in self._results(counted)
            if result.key in ("miou", "pixel_accuracy")
        }

    @torch.no_grad()
    def measure(
        self, split: Split, views: Views, device: torch.device, *, per_image: bool
    ) -> list[Result]:
        """Return mIoU, pixel accuracy and the IoU of each class."""
        self.validated.to(device)
        counted: dict[int, numpy.ndarray] = {}
        size = self.recipe.batch // self.share.micro_batches
        for start in range(0, len(split), size):
            counted |= self._counted(views[range(start, min(start + size, len(split)))], device)
        return self._results(counted)

    def _results(self, counted: dict[int, numpy.ndarray]) -> list[Result]:
        return pixel_results(
            [counted[number] for number in sorted(counted)], names=self.class_names
        )

    def _counted(
        self, batch: Scenes, device: torch.device | None = None
    ) -> dict[int, numpy.ndarray]:
        """Return the confusion matrix of each image, by its number."""
        told = self.predicted(batch, device)
        labels = dict(zip(batch.numbers, batch.targets, strict=True))
        return {
            number: confusion(
                label_map, labels[number].to(torch.uint8).cpu().numpy(), classes=self.classes
            )
            for number, label_map in told.items()
        }

    def predicted(
        self, batch: Scenes, device: torch.device | None = None
    ) -> dict[int, numpy.ndarray]:
        """Return the most probable classes, uint8 at the size of the label map, by image number."""
        return {
            number: logits.argmax(0).to(torch.uint8).cpu().numpy()
            for number, logits in self._told(batch, device)
        }

    def _told(self, batch: Scenes, device: torch.device | None) -> Iterator[tuple[int, Tensor]]:
        """Give the number of each image, and its logits at the size of the label map."""
        images = [image.to(device) if device is not None else image for image in batch.images]
        alike = len({image.shape for image in images}) == 1
        groups = [torch.stack(images)] if alike else [image[None] for image in images]
        outputs = [logits for group in groups for logits in self.logits(group)]
        for number, logits, labels in zip(batch.numbers, outputs, batch.targets, strict=True):
            if logits.shape[1:] != labels.shape:
                logits = nn.functional.interpolate(
                    logits[None], labels.shape, mode="bilinear", align_corners=False
                )[0]
            yield number, logits

    def logits(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes, height, width) of the validated network.

        With `window_stride` they are averaged over overlapping squares.
        """
        network = self.validated.eval()
        images = images.contiguous(memory_format=torch.channels_last)
        if self.task.window_stride is None:
            return network(images).float()
        size, stride = self.recipe.image_size, self.task.window_stride
        total: Tensor | None = None
        count = images.new_zeros(1, 1, *images.shape[2:])
        for top in starts(images.shape[2], size, stride):
            for left in starts(images.shape[3], size, stride):
                rows, columns = slice(top, top + size), slice(left, left + size)
                part = network(images[:, :, rows, columns]).float()
                if total is None:
                    total = part.new_zeros(*part.shape[:2], *images.shape[2:])
                total[:, :, rows, columns] += part
                count[:, :, rows, columns] += 1
        assert total is not None
        return total / count


def starts(side: int, size: int, stride: int) -> list[int]:
    """Return where windows of `size` begin along a side, so that they cover all of it."""
    last = max(0, side - size)
    return sorted({*range(0, last, stride), last})


def pixel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits (batch, classes, h, w) over all pixels."""
    losses = nn.functional.cross_entropy(
        logits.float(), labels, ignore_index=UNLABELLED, reduction="none"
    )
    return losses.mean()
