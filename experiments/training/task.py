"""The Lightning task: one network trained by one recipe to classify images.

Dimensions: images (batch, 3, height, width); logits (batch, classes); labels (batch,), or with
mixup soft labels (batch, classes).
"""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import NO_IMAGE, Share
from experiments.training.losses import LossWatch, NotFinite, Step, weighted_loss
from experiments.training.mixing import mix_groups, mixup
from experiments.training.optimizer import (
    average,
    make_losses,
    make_optimizer,
    make_schedule,
)
from experiments.weights.freezing import frozen_norms
from roadmap.errors import Problem
from roadmap.spec import Recipe


class Diverged(Exception):
    """The loss is not finite."""


class Classification(lightning.LightningModule):
    """Trains `network` by `recipe`; every random draw of a step belongs to (seed, step).

    After each epoch `correct` says which validation images are right. `summary` holds train_loss,
    loss, top1 and top5 (percentages) and the learning rate of the epoch's last step. With an
    average of the weights (`recipe.ema`), the average is validated. `share` is this process's part
    of every optimizer step. A `compiled` network gets batches of one size only. `weights` of the
    classes, (classes,), apply to the training loss. With `graphs` the network is replayed as CUDA
    graphs, whose outputs last until the next batch.
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
        compiled: bool = False,
        weights: Tensor | None = None,
        graphs: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self.network, self.recipe, self.seed = network, recipe, seed
        self.averaged = average(network, recipe)
        self.frozen: list[nn.Module] = []  # norms whose statistics must stay
        self.steps_per_epoch, self.share = steps_per_epoch, share or Share()
        self.compiled, self.graphs, self.shown = compiled, graphs, min(5, classes)
        self.mix = mixup(recipe, classes)
        self.groups = 0 if recipe.mixup_per == "step" else recipe.mixup_per
        self.soft_loss, self.hard_loss = make_losses(recipe)
        self.loss_sum, self.loss_count = torch.zeros(()), 0  # of the epoch so far
        self.losses = LossWatch(torch.device("cpu"))
        self.summary: dict[str, float] = {}
        self.full = 0  # images in the first validation batch
        self.hits: list[Tensor] = []  # of each validation batch, which images are right
        self.correct = torch.empty(0, dtype=torch.bool)

    weights: Tensor | None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer; the schedule sets its learning rate before every step."""
        self.optimizer = make_optimizer(self.network, self.recipe)
        self.schedule = make_schedule(self.optimizer, self.recipe, self.steps_per_epoch)
        return self.optimizer

    @property
    def learning_rate(self) -> float:
        """The learning rate of the present step: the classifier's, if it decays by layer."""
        group = self.optimizer.param_groups[0]
        return group["lr"] / group.get("lr_scale", 1.0)

    def on_train_start(self) -> None:
        """Watch the losses on the device that the network is on by now; find frozen norms.

        Lightning may have replaced the norms since the start, for statistics over all devices.
        """
        self.frozen = frozen_norms(self.network)
        self.losses = LossWatch(self.device, self.share.world)
        self.loss_sum = self.loss_sum.to(self.device)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Set this step's learning rate; keep the statistics of frozen norms."""
        for norm in self.frozen:
            norm.eval()
        self.schedule.step_update(self.global_step)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of one micro-batch; raises Diverged for a loss that is not finite.

        On a GPU, it may be the loss of a few micro-batches before: see LossWatch.
        """
        images, labels = batch
        micro_batch = batch_idx % self.share.accumulate * self.share.world + self.share.rank
        with isolated_rng():
            images, labels = self._mixed(images, labels, micro_batch)
            if micro_batch or self.groups:  # drop path draws for each micro-batch
                seed_rng(self.seed, self.global_step, micro_batch)
            self._new_batch()
            logits = self.network(images.contiguous(memory_format=torch.channels_last))
        if self.weights is not None:
            loss = weighted_loss(logits, labels, self.weights, self.recipe.label_smoothing)
        else:
            loss = self.soft_loss(logits, labels) if self.mix else self.hard_loss(logits, labels)
        step = Step(
            step=self.global_step,
            epoch=self.current_epoch,
            micro_batch=batch_idx,
            learning_rate=self.learning_rate,
        )
        try:
            self.losses.add(loss, step)
        except NotFinite as fault:
            raise self._diverged(fault) from None
        self.loss_sum = self.loss_sum + loss.detach()
        self.loss_count += 1
        return loss

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

    def check_losses(self) -> None:
        """Wait until all losses so far are known to be finite; raises Diverged if one is not."""
        try:
            self.losses.check()
        except NotFinite as fault:
            raise self._diverged(fault) from None

    def _diverged(self, fault: NotFinite) -> Diverged:
        step = fault.step
        sampler = self.trainer.train_dataloader.sampler  # type: ignore[union-attr]
        images = sampler.images(step.epoch, step.micro_batch)
        return Diverged(
            f"the loss is {fault.loss} at step {step.step}, learning rate "
            f"{step.learning_rate:g}, epoch {step.epoch}, batch {step.micro_batch} of process "
            f"{self.share.rank}: training images {', '.join(map(str, images))}"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save no step after a loss that is not finite; store the epoch's loss so far."""
        self.check_losses()
        sums = torch.stack(gathered(self.loss_sum, self.share.world)).cpu()
        checkpoint["train_loss"] = {"sums": sums, "count": self.loss_count}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore this process's part of the epoch's loss."""
        saved = checkpoint.get("train_loss", {})
        if not isinstance(saved, dict) or len(saved.get("sums", ())) != self.share.world:
            raise Problem(
                "the checkpoint is of another version or of another number of processes; "
                "use --restart to start over"
            )
        self.loss_sum, self.loss_count = saved["sums"][self.share.rank].clone(), saved["count"]

    def optimizer_step(self, *given: Any, **named: Any) -> None:
        """Step, and update the averaged weights before anything can be saved."""
        super().optimizer_step(*given, **named)
        if self.averaged is not None:
            self.averaged.update(self.network, step=self.global_step + 1)

    @property
    def validated(self) -> nn.Module:
        """The network that is validated: with the average of the weights if there is one."""
        return self.network if self.averaged is None else self.averaged.module

    def on_validation_epoch_start(self) -> None:
        """Validate only after steps whose losses are finite."""
        self.check_losses()
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

    def on_validation_epoch_end(self) -> None:
        """Summarize the epoch."""
        if self.share.world > 1:
            torch.distributed.all_reduce(self.sums)
            torch.distributed.all_reduce(self.loss_sum)
        batches = self.loss_count * self.share.world
        loss, first, among, images = self.sums.tolist()
        self.summary = {
            "train_loss": (self.loss_sum / batches).item(),
            "loss": (self.sums[0] / self.sums[3]).item(),
            "top1": round(100 * first / images, 4),
            "top5": round(100 * among / images, 4),
            "learning_rate": self.learning_rate,
        }
        self.correct = in_order(gathered(torch.cat(self.hits), self.share.world))
        self.hits.clear()
        self.loss_sum, self.loss_count = torch.zeros((), device=self.device), 0
        if not all(math.isfinite(number) for number in self.summary.values()):
            raise Diverged(f"the validation loss is {loss / images}")


def gathered(own: Tensor, world: int) -> list[Tensor]:
    """Return the tensors of all `world` processes, by rank."""
    if world == 1:
        return [own]
    tensors = [torch.empty_like(own) for _ in range(world)]
    torch.distributed.all_gather(tensors, own)
    return tensors


def in_order(dealt: list[Tensor]) -> Tensor:
    """Restore the order of images that `EvaluationSampler` dealt to the processes: (n × world,)."""
    return torch.stack(dealt, dim=1).flatten().cpu()
