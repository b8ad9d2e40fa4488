"""The Lightning task: one network trained by one recipe to classify images.

Dimensions: images (batch, 3, height, width); logits (batch, classes); labels (batch,), or with
mixup soft labels (batch, classes).
"""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as lightning
import torch
from timm.loss import SoftTargetCrossEntropy
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import NO_IMAGE, Share
from experiments.training.optimizer import average, make_optimizer, make_schedule, mixup
from roadmap.errors import Problem
from roadmap.spec import Recipe


class Classification(lightning.LightningModule):
    """Trains `network` by `recipe`; every random draw of a step belongs to (seed, step).

    After each epoch `correct` tells which validation images are right and `summary` holds
    train_loss, loss, top1 and top5 (percentages) and the learning rate of the epoch's last step.
    With an average of the weights (`recipe.ema`) it is the average that is validated. `share` is
    this process's part of every optimizer step.
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
    ) -> None:
        super().__init__()
        self.network, self.recipe, self.seed = network, recipe, seed
        self.averaged = average(network, recipe)
        self.steps_per_epoch, self.share = steps_per_epoch, share or Share()
        self.mix = mixup(recipe, classes)
        self.soft_loss = SoftTargetCrossEntropy()
        self.hard_loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.train_loss = MeanMetric(nan_strategy="disable")
        counted = {"average": "micro", "ignore_index": NO_IMAGE}
        self.validation = MetricCollection(
            {
                "top1": MulticlassAccuracy(classes, top_k=1, **counted),
                "top5": MulticlassAccuracy(classes, top_k=min(5, classes), **counted),
            }
        )
        self.validation_loss = MeanMetric(nan_strategy="disable")  # a NaN must show, not vanish
        self.summary: dict[str, float] = {}
        self.hits: list[Tensor] = []  # of each validation batch, which images are right
        self.correct = torch.empty(0, dtype=torch.bool)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimizer; its learning rate is set by the schedule before every step."""
        optimizer = make_optimizer(self.network, self.recipe)
        self.schedule = make_schedule(optimizer, self.recipe, self.steps_per_epoch)
        return optimizer

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Set this step's learning rate."""
        self.schedule.step_update(self.global_step)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one step; stops the run with Diverged where it is not finite."""
        images, labels = batch
        portion = batch_idx % self.share.accumulate * self.share.world + self.share.rank
        with isolated_rng():
            seed_rng(self.seed, self.global_step)  # mixup's ratio is the whole step's
            if self.mix:
                images, labels = self.mix(images, labels)
            if portion:  # drop path's draws are the portion's own
                seed_rng(self.seed, self.global_step, portion)
            logits = self.network(images.contiguous(memory_format=torch.channels_last))
        loss = self.soft_loss(logits, labels) if self.mix else self.hard_loss(logits, labels)
        if not self._finite(loss):
            rate = self.optimizers().param_groups[0]["lr"]
            images = self.trainer.train_dataloader.sampler.images(self.current_epoch, batch_idx)
            raise Diverged(
                f"the loss is {loss.item()} at step {self.global_step}, learning rate {rate:g}, "
                f"epoch {self.current_epoch}, batch {batch_idx} of process {self.share.rank}: "
                f"training images {', '.join(map(str, images))}"
            )
        self.train_loss.update(loss.detach())
        return loss

    def _finite(self, loss: Tensor) -> bool:
        """Whether the loss is a number in every process: they stop together."""
        wrong = (~torch.isfinite(loss.detach())).float()
        if self.share.world > 1:
            torch.distributed.all_reduce(wrong)
        return not wrong

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep each process's part of the epoch's loss: some of it may lie before a checkpoint."""
        own = torch.stack([self.train_loss.mean_value, self.train_loss.weight])
        checkpoint["train_loss"] = torch.stack(gathered(own, self.share.world)).cpu()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with this process's part of the epoch's loss."""
        if len(checkpoint.get("train_loss", ())) != self.share.world:
            raise Problem("the checkpoint is of another version, or of more processes or fewer; "
                          "--restart begins the run anew")  # fmt: skip
        own = checkpoint["train_loss"][self.share.rank].to(self.train_loss.weight.device)
        self.train_loss.mean_value, self.train_loss.weight = own

    def optimizer_step(self, *given: Any, **named: Any) -> None:
        """Step, and take the step into the averaged weights before anything can be saved."""
        super().optimizer_step(*given, **named)
        if self.averaged is not None:
            self.averaged.update(self.network, step=self.global_step + 1)

    @property
    def validated(self) -> nn.Module:
        """The network that is validated: with the average of the weights where there is one."""
        return self.network if self.averaged is None else self.averaged.module

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Count correct images and sum the loss; labels of NO_IMAGE do not count."""
        images, labels = batch
        images = images.contiguous(memory_format=torch.channels_last)
        logits = self.validated.eval()(images).float()
        self.validation.update(logits, labels)
        self.hits.append(logits.argmax(1) == labels)
        there = labels != NO_IMAGE  # torchmetrics takes weights of 0 for 1 under this nan_strategy
        losses = nn.functional.cross_entropy(logits[there], labels[there], reduction="none")
        self.validation_loss.update(losses)

    def on_validation_epoch_end(self) -> None:
        """Sum up the epoch."""
        found = self.validation.compute().items()
        accuracy = {name: round(100 * each.item(), 4) for name, each in found}
        self.summary = {
            "train_loss": self.train_loss.compute().item(),
            "loss": self.validation_loss.compute().item(),
            **accuracy,
            "learning_rate": self.optimizers().param_groups[0]["lr"],
        }
        self.correct = in_order(gathered(torch.cat(self.hits), self.share.world))
        self.hits.clear()
        if not all(math.isfinite(each) for each in self.summary.values()):
            raise Diverged(f"the validation loss is {self.summary['loss']}")
        for metric in (self.train_loss, self.validation, self.validation_loss):
            metric.reset()


def gathered(own: Tensor, world: int) -> list[Tensor]:
    """What each of `world` processes has."""
    if world == 1:
        return [own]
    found = [torch.empty_like(own) for _ in range(world)]
    torch.distributed.all_gather(found, own)
    return found


def in_order(found: list[Tensor]) -> Tensor:
    """Restore the order of images that `EvaluationSampler` dealt to the processes: (n × world,)."""
    return torch.stack(found, dim=1).flatten().cpu()


class Diverged(Exception):
    """The loss is no finite number."""
