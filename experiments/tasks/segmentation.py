"""Segmentation: the Lightning task around a head that tells the class of every pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from experiments.data.scene import UNLABELLED
from experiments.data.splits import Split
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.scenes import Scenes
from experiments.tasks.per_image import Result
from experiments.tasks.pixel_accuracy import confusion, pixel_results
from experiments.tasks.scene_task import SceneTask, on_device
from roadmap.errors import Problem
from roadmap.spec import Recipe
from roadmap.tasks import Segmentation


class SegmentationTask(SceneTask):
    """Trains a segmenter by the cross-entropy of all pixels; its numbers are mIoU and accuracy.

    Unlabelled pixels add nothing to the loss, whose mean is over all pixels, so a step is the same
    however it is shared out. A result is the confusion matrix of an image's pixels.
    """

    main = ("miou", "pixel_accuracy")

    def __init__(
        self, network: nn.Module, recipe: Recipe, *, class_names: tuple[str, ...], **shared: Any
    ) -> None:
        super().__init__(network, recipe, **shared)
        assert isinstance(recipe.task, Segmentation)
        self.task, self.class_names = recipe.task, class_names

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

    def numbers(
        self, results: Mapping[int, numpy.ndarray], split: Split, *, per_image: bool
    ) -> list[Result]:
        """Return mIoU, pixel accuracy and the IoU of each class."""
        matrices = [results[number] for number in sorted(results)]
        return pixel_results(matrices, names=self.class_names)

    def check_validated(self, results: Mapping[int, numpy.ndarray]) -> None:
        """Raise Problem if no validation pixel has a class."""
        if not any(matrix.any() for matrix in results.values()):
            raise Problem("no pixel of the validation images has a class; check the label maps")

    def results_of(
        self, batch: Scenes, device: torch.device | None = None
    ) -> dict[int, numpy.ndarray]:
        """Count the pixels of each true class by the class that is told."""
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
        images = on_device(batch, device)
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
