"""Callbacks that watch: progress, loggers."""

from __future__ import annotations

import time

import pytorch_lightning as lightning

from experiments.host.progress import Event, Tell
from experiments.training.history import History


class Watch(lightning.Callback):
    """Tells of a run's steps and epochs."""

    def __init__(self, name: str, history: History, tell: Tell) -> None:
        self.name, self.history, self.tell, self.shown = name, history, tell, 0.0

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, *_: object
    ) -> None:
        """Tell how far the run is, at most four times a second."""
        if time.monotonic() - self.shown > 0.25:
            self.shown = time.monotonic()
            self._tell(trainer)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Tell what the epoch brought."""
        row = self.history.rows()[-1]
        done = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        line = (
            f"{done}, train loss {row['train_loss']:.3f}, top-1 {row['top1']:.2f} %, "
            f"{row['images_per_second']:.0f} images/s"
        )
        self._tell(trainer, state=f"{done} top-1 {row['top1']:.1f} %", line=line)

    def _tell(self, trainer: lightning.Trainer, **text: str) -> None:
        total = int(trainer.estimated_stepping_batches)
        self.tell(Event(run=self.name, done=trainer.global_step, total=total, **text))
