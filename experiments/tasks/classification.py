"""Classification: the Lightning task that most of the paper is about.

Dimensions: images (batch, 3, height, width); logits (batch, classes); labels (batch,), or with
mixup soft labels (batch, classes).
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from experiments.data.splits import Split
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import NO_IMAGE, Share
from experiments.loading.views import Batch, Views
from experiments.tasks.losses import weighted_loss
from experiments.tasks.mixing import mix_groups, mixup
from experiments.tasks.optimizer import make_losses
from experiments.tasks.per_image import Result
from experiments.tasks.task import Task, gathered
from roadmap.spec import Recipe


class Classification(Task):
    """Trains `network` by `recipe` to classify images.

    After each epoch `correct` says which validation images are right, and `summary` has loss, top1
    and top5 (percentages). A `compiled` network gets batches of one size only. `weights` of the
    classes, (classes,), apply to the training loss. With `graphs` the network is replayed as CUDA
    graphs, whose outputs last until the next batch.
    """

    main = ("top1",)

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        *,
        classes: int,
        steps_per_epoch: int,
        seed: int,
        share: Share | None = None,
        compiled: bool = False,
        weights: Tensor | None = None,
        graphs: bool = False,
    ) -> None:
        super().__init__(network, recipe, steps_per_epoch=steps_per_epoch, seed=seed, share=share)
        self.register_buffer("weights", weights, persistent=False)
        self.compiled, self.graphs, self.shown = compiled, graphs, min(5, classes)
        self.mix = mixup(recipe, classes)
        self.groups = 0 if recipe.mixup_per == "step" else recipe.mixup_per
        self.soft_loss, self.hard_loss = make_losses(recipe)
        self.full = 0  # images in the first validation batch
        self.hits: list[Tensor] = []  # of each validation batch, which images are right
        self.correct: Tensor = torch.empty(0, dtype=torch.bool)

    weights: Tensor | None

    def batch_loss(self, batch: Batch, micro_batch: int) -> Tensor:
        """Mix images and labels, and return the loss."""
        images, labels = batch
        with isolated_rng():
            images, labels = self._mixed(images, labels, micro_batch)
            if micro_batch or self.groups:  # drop path draws for each micro-batch
                seed_rng(self.seed, self.global_step, micro_batch)
            self._new_batch()
            logits = self.network(images.contiguous(memory_format=torch.channels_last))
        if self.weights is not None:
            return weighted_loss(logits, labels, self.weights, self.recipe.label_smoothing)
        return self.soft_loss(logits, labels) if self.mix else self.hard_loss(logits, labels)

    def _mixed(self, images: Tensor, labels: Tensor, micro_batch: int) -> tuple[Tensor, Tensor]:
        """Apply mixup and cutmix, if the recipe has any; seed the generators for this step."""
        seed_rng(self.seed, self.global_step)  # the ratio is the whole step's
        if self.mix is None:
            return images, labels
        if not self.groups:
            return self.mix(images, labels)
        key = self.seed, self.global_step
        return mix_groups(self.mix, images, labels, self.groups, key=key, micro_batch=micro_batch)

    def _new_batch(self) -> None:
        """Tell CUDA graphs that nothing needs the outputs for the last batch any more."""
        if self.graphs:
            torch.compiler.cudagraph_mark_step_begin()

    def start_validation(self) -> None:
        """Forget what was counted."""
        self.sums = torch.zeros(4, device=self.device)  # loss, right first, among five, images
        self.full = 0

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Count correct images and sum the loss; labels of NO_IMAGE do not count."""
        images, labels = batch
        logits = self.logits(images)
        losses = nn.functional.cross_entropy(
            logits, labels, ignore_index=NO_IMAGE, reduction="none"
        )
        first = logits.argmax(1) == labels
        among = logits.topk(self.shown).indices == labels[:, None]
        self.sums += torch.stack([losses.sum(), first.sum(), among.sum(), (labels >= 0).sum()])
        self.hits.append(first)

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits; a compiled network gets a last, smaller batch filled up with zeros.

        Another batch size would make it compile again, and so would a view of another tensor.
        """
        count = len(images)
        self.full = max(self.full, count)
        if self.compiled:
            filled = images.new_zeros(self.full, *images.shape[1:])
            filled[:count] = images
            images = filled
        images = images.contiguous(memory_format=torch.channels_last)
        self._new_batch()
        return self.validated.eval()(images)[:count].float()

    def validated_numbers(self) -> dict[str, float]:
        """Return loss, top1 and top5."""
        if self.share.world > 1:
            torch.distributed.all_reduce(self.sums)
        _, first, among, images = self.sums.tolist()
        self.correct = in_order(gathered(torch.cat(self.hits), self.share.world))
        self.hits.clear()
        return {
            "loss": (self.sums[0] / self.sums[3]).item(),
            "top1": round(100 * first / images, 4),
            "top5": round(100 * among / images, 4),
        }

    @torch.no_grad()
    def measure(
        self, split: Split, views: Views, device: torch.device, *, per_image: bool
    ) -> list[Result]:
        """Return the share of images that are right."""
        self.validated.to(device)
        size = self.full or 128
        right = 0
        # In 32 bits a network that is compiled for another precision would be compiled once more.
        eager = torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()
        with eager:
            for start in range(0, len(split), size):
                images, labels = views[range(start, min(start + size, len(split)))]
                guesses = self.logits(images.to(device)).argmax(1).cpu()
                right += int((guesses == labels).sum())
        count = len(split)
        return [Result(key="top1", label="top-1", value=right / count, images=count)]


def in_order(dealt: list[Tensor]) -> Tensor:
    """Restore the order of images that `EvaluationSampler` dealt to the processes: (n × world,)."""
    return torch.stack(dealt, dim=1).flatten().cpu()
