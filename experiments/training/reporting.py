"""The callback that reports a run: it turns Lightning's hooks into events with numbers."""

from __future__ import annotations

import base64
import time
from statistics import median
from typing import Any

import numpy
import pytorch_lightning as lightning

from experiments.host.events import EpochDone, Observer, Started, StepDone
from experiments.tasks.task import Task

SECONDS = 0.25  # at least, between two reports of steps


class ReportingCallback(lightning.Callback):
    """Reports steps and epochs, and keeps the run's history, which every checkpoint holds.

    An optimizer step has `batch` images, cut into `accumulate` micro-batches on each device;
    `validated` is the number of validation images. An interrupted epoch keeps its seconds.
    """

    def __init__(
        self, run: str, observe: Observer, *, batch: int, accumulate: int, validated: int
    ) -> None:
        self.run, self.observe = run, observe
        self.batch, self.accumulate, self.validated = batch, accumulate, validated
        self.history: list[dict[str, float]] = []
        self.correct = ""  # which validation images were right after the last epoch: base64
        self.epoch, self.micro_batches = 0, 0
        self.validating = self.started = self.paused = self.reported = 0.0
        self.interrupted: dict[str, float] = {}

    def images_per_second(self) -> float:
        """Return training images per second, without validation: the median over epochs."""
        speeds = [row["images_per_second"] for row in self.history]
        return round(median(speeds), 1) if speeds else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the history, and how far the epoch is, for a checkpoint."""
        return {
            "history": self.history,
            "correct": self.correct,
            "epoch": self.epoch,
            "micro_batches": self.micro_batches,
            "seconds": time.monotonic() - self.started,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the history and the interrupted epoch."""
        self.history, self.correct = list(state_dict["history"]), state_dict["correct"]
        self.interrupted = state_dict

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Report where the run starts."""
        self._start(trainer.current_epoch)
        steps = int(trainer.estimated_stepping_batches)
        self.observe(
            Started(run=self.run, history=self.history, step=trainer.global_step, steps=steps)
        )

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Start the epoch's clock."""
        self._start(trainer.current_epoch)

    def _start(self, epoch: int) -> None:
        """Start from zero, or for an interrupted epoch from the seconds it had taken by then."""
        before = self.interrupted if self.interrupted.get("epoch") == epoch else {}
        self.epoch, self.validating = epoch, 0.0
        self.micro_batches = int(before.get("micro_batches", 0))
        self.started = time.monotonic() - before.get("seconds", 0.0)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, *_: object
    ) -> None:
        """Count the micro-batch; report steps at most four times a second."""
        self.micro_batches += 1
        if time.monotonic() - self.reported > SECONDS:
            self.reported = time.monotonic()
            steps = int(trainer.estimated_stepping_batches)
            assert isinstance(task, Task)
            self.observe(
                StepDone(
                    run=self.run,
                    step=trainer.global_step,
                    steps=steps,
                    loss=task.losses.latest,
                    learning_rate=task.learning_rate,
                )
            )

    def on_validation_start(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Start the clock of validation."""
        self.paused = time.monotonic()

    def on_validation_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Stop the clock of validation."""
        self.validating += time.monotonic() - self.paused

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Add the epoch to the history and report it."""
        assert isinstance(task, Task)
        seconds = time.monotonic() - self.started
        images = self.micro_batches * self.batch / self.accumulate
        row = {
            "epoch": trainer.current_epoch,
            **{key: round(number, 6) for key, number in task.summary.items()},
            "images_per_second": round(images / (seconds - self.validating), 1),
            "seconds": round(seconds, 2),
        }
        self.history.append(row)
        if task.correct is not None:
            bits = numpy.packbits(task.correct[: self.validated].numpy())
            self.correct = base64.b64encode(bits.tobytes()).decode()
        done = EpochDone(
            run=self.run,
            step=trainer.global_step,
            steps=int(trainer.estimated_stepping_batches),
            epoch=trainer.current_epoch + 1,
            epochs=trainer.max_epochs or 0,
            metrics=row,
        )
        self.observe(done)
