"""What detection and segmentation share: results by image, of which numbers are made at the end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch

from experiments.data.splits import Split
from experiments.loading.samplers import Share
from experiments.loading.scenes import Scenes
from experiments.loading.views import Views
from experiments.tasks.per_image import Result
from experiments.tasks.task import Task, everyones
from roadmap.spec import Recipe


class SceneTask(Task):
    """A task whose numbers are of all images of a split together, not a mean over images.

    `validation` are the images that it is validated on. `results` has what was found in each of
    them so far, by its number.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        recipe: Recipe,
        *,
        validation: Split,
        classes: int,
        steps_per_epoch: int,
        seed: int,
        share: Share | None = None,
    ) -> None:
        super().__init__(network, recipe, steps_per_epoch=steps_per_epoch, seed=seed, share=share)
        self.validation, self.classes = validation, classes
        self.results: dict[int, Any] = {}

    @abstractmethod
    def predicted(self, batch: Scenes, device: torch.device | None = None) -> dict[int, Any]:
        """Return what the validated network says of each image of a batch, by its number."""

    def results_of(self, batch: Scenes, device: torch.device | None = None) -> dict[int, Any]:
        """Return what is kept of these predictions until the numbers are made."""
        return self.predicted(batch, device)

    @abstractmethod
    def numbers(self, results: Mapping[int, Any], split: Split, *, per_image: bool) -> list[Result]:
        """Return the numbers of a split from the results of all its images."""

    def check_validated(self, results: Mapping[int, Any]) -> None:
        """Raise Problem if no number can be made of the results of all validation images."""

    def start_validation(self) -> None:
        """Forget what was found."""
        self.results = {}

    def validation_step(self, batch: Scenes, batch_idx: int) -> None:
        """Keep what is found in a batch."""
        self.results |= self.results_of(batch)

    def validated_numbers(self) -> dict[str, float]:
        """Return the main numbers, in per cent."""
        results = everyones(self.results, self.share.world)
        self.check_validated(results)
        return {
            result.key: round(100 * result.value, 4)
            for result in self.numbers(results, self.validation, per_image=False)
            if result.key in self.main
        }

    @torch.no_grad()
    def measure(
        self, split: Split, views: Views, device: torch.device, *, per_image: bool
    ) -> list[Result]:
        """Return all numbers."""
        self.validated.to(device)
        results: dict[int, Any] = {}
        size = self.recipe.batch // self.share.micro_batches
        for start in range(0, len(split), size):
            batch = views[range(start, min(start + size, len(split)))]
            results |= self.results_of(batch, device)
        return self.numbers(results, split, per_image=per_image)


def on_device(batch: Scenes, device: torch.device | None) -> list[torch.Tensor]:
    """Return the images of a batch, on the device if one is given."""
    return [image.to(device) if device is not None else image for image in batch.images]
