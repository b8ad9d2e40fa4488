"""What happened in each epoch, written down as it happens: `metrics.jsonl`, one line an epoch."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from statistics import median

import numpy
import pytorch_lightning as lightning

from roadmap.files import put_text


class History(lightning.Callback):
    """Appends each epoch's summary, images/s and seconds to a file of JSON lines.

    `images` is the number of training images in an epoch, `validated` of validation images. Lines
    of epochs that a resumed run trains again are dropped first, a torn last line too.
    """

    def __init__(self, path: Path, *, images: int, validated: int) -> None:
        self.path, self.images, self.validated = path, images, validated
        self.validating, self.seen, self.started = 0.0, 0, 0.0
        self.epoch, self.before = 0, {}

    def rows(self) -> list[dict[str, float]]:
        """The epochs so far."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def images_per_second(self) -> float:
        """Training images per second: with augmentation, without validation; median of epochs."""
        rows = self.rows()
        return round(median(row["images_per_second"] for row in rows), 1) if rows else 0.0

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Keep only the epochs that the checkpoint has behind it."""
        kept = [row for row in self.rows() if row["epoch"] < trainer.current_epoch]
        put_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))
        self._start(trainer.current_epoch)

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Start the epoch's clock."""
        self._start(trainer.current_epoch)

    def _start(self, epoch: int) -> None:
        """From zero, or for an epoch that was interrupted from what it had taken by then."""
        before = self.before if self.before.get("epoch") == epoch else {}
        self.epoch, self.validating, self.seen = epoch, 0.0, before.get("seen", 0)
        self.started = time.monotonic() - before.get("seconds", 0.0)

    def state_dict(self) -> dict[str, float]:
        """For a checkpoint: which epoch, and what it has taken so far."""
        seconds = time.monotonic() - self.started
        return {"epoch": self.epoch, "seen": self.seen, "seconds": seconds}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """What the epoch had taken at the checkpoint."""
        self.before = state_dict

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, *_: object
    ) -> None:
        """Count batches."""
        self.seen += 1

    def on_validation_start(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Start the clock of what is not training."""
        self.paused = time.monotonic()

    def on_validation_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Stop the clock of what is not training."""
        self.validating += time.monotonic() - self.paused

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Append the epoch's line."""
        seconds = time.monotonic() - self.started
        seen = self.images * self.seen / trainer.num_training_batches
        row = {
            "epoch": trainer.current_epoch,
            **{key: round(found, 6) for key, found in task.summary.items()},
            "images_per_second": round(seen / (seconds - self.validating), 1),
            "seconds": round(seconds, 2),
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())  # the checkpoint that comes after it has this epoch behind it
        right = task.correct[: self.validated].numpy()
        put_text(self.correct_path, base64.b64encode(numpy.packbits(right)).decode())

    @property
    def correct_path(self) -> Path:
        """Where the last epoch's answers are kept, a bit an image."""
        return self.path.with_name("correct.txt")

    def correct(self) -> str:
        """Which validation images were right after the last epoch: packed bits in base64."""
        return self.correct_path.read_text() if self.correct_path.exists() else ""
