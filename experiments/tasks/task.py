"""The base of every Lightning task: one network trained by one recipe, whatever it learns."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from experiments.data.splits import Split
from experiments.loading.samplers import Share
from experiments.loading.scenes import Scenes
from experiments.loading.views import Views
from experiments.tasks.losses import LossWatch, NotFinite, Step
from experiments.tasks.optimizer import average, make_optimizer, make_schedule
from experiments.tasks.per_image import Result
from experiments.weights.freezing import frozen_norms
from roadmap.errors import Problem
from roadmap.spec import Recipe


class Diverged(Exception):
    """The loss is not finite."""


class Task(lightning.LightningModule):
    """Trains `network` by `recipe`; every random draw of a step belongs to (seed, step).

    `summary` holds the numbers of the last epoch: train_loss, those of the task on the validation
    images, and the learning rate of the epoch's last step. With an average of the weights
    (`recipe.ema`), the average is validated. `share` is this process's part of every optimizer
    step.
    """

    main: ClassVar[tuple[str, ...]]  # the numbers that are measured on every split
    correct: Tensor | None = None  # which validation images are right, if each is right or wrong

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        *,
        steps_per_epoch: int,
        seed: int,
        share: Share | None = None,
    ) -> None:
        super().__init__()
        self.network, self.recipe, self.seed = network, recipe, seed
        self.averaged = average(network, recipe)
        self.frozen: list[nn.Module] = []  # norms whose statistics must stay
        self.steps_per_epoch, self.share = steps_per_epoch, share or Share()
        self.loss_sum, self.loss_count = torch.zeros(()), 0  # of the epoch so far
        self.losses = LossWatch(torch.device("cpu"))
        self.summary: dict[str, float] = {}

    @abstractmethod
    def batch_loss(self, batch: Any, micro_batch: int) -> Tensor:
        """Return the loss of one micro-batch; `micro_batch` is its number within the step."""

    @abstractmethod
    def start_validation(self) -> None:
        """Forget the results of the validation before."""

    @abstractmethod
    def validated_numbers(self) -> dict[str, float]:
        """Return the task's numbers over all validation images of all processes."""

    @abstractmethod
    def measure(
        self, split: Split, views: Views, device: torch.device, *, per_image: bool
    ) -> list[Result]:
        """Return the numbers of the validated weights on a split; with a share of each image."""

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

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Return scenes as they are: the loader has made them on the device."""
        if isinstance(batch, Scenes):
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

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

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of one micro-batch; raises Diverged for a loss that is not finite.

        On a GPU, it may be the loss of a few micro-batches before: see LossWatch.
        """
        micro_batch = batch_idx % self.share.accumulate * self.share.world + self.share.rank
        loss = self.batch_loss(batch, micro_batch)
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
        self.start_validation()

    def on_validation_epoch_end(self) -> None:
        """Summarize the epoch."""
        if self.share.world > 1:
            torch.distributed.all_reduce(self.loss_sum)
        batches = self.loss_count * self.share.world
        self.summary = {
            "train_loss": (self.loss_sum / batches).item(),
            **self.validated_numbers(),
            "learning_rate": self.learning_rate,
        }
        self.loss_sum, self.loss_count = torch.zeros((), device=self.device), 0
        for name, number in self.summary.items():
            if not math.isfinite(number):
                raise Diverged(f"{name.replace('_', ' ')} is {number} after the epoch")


def gathered(own: Tensor, world: int) -> list[Tensor]:
    """Return the tensors of all `world` processes, by rank."""
    if world == 1:
        return [own]
    tensors = [torch.empty_like(own) for _ in range(world)]
    torch.distributed.all_gather(tensors, own)
    return tensors


def everyones(own: dict[int, Any], world: int) -> dict[int, Any]:
    """Return the results of all `world` processes, by the numbers of the images."""
    if world == 1:
        return own
    parts: list[Any] = [None] * world
    torch.distributed.all_gather_object(parts, own)
    return {number: result for part in parts for number, result in part.items()}
