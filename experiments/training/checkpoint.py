"""Checkpoints: written as a whole, checked by a checksum, with the previous one kept.

A file is a line `sha256 <digest>`, followed by what torch.save wrote. It is flushed and renamed
into its place, and the file that was there becomes `before.ckpt`. Only plain data is loaded.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.io import CheckpointIO

from experiments.host.signals import Stop, Stopped
from roadmap.errors import Problem
from roadmap.files import check_ends, put
from roadmap.record import Identity

LAST, BEFORE = "last.ckpt", "before.ckpt"
HEAD = b"sha256 "


class ChecksummedCheckpointIO(CheckpointIO):
    """Reads and writes Lightning's checkpoints with a checksum."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the checkpoint; if that fails, the previous one is still there."""
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read and check a checkpoint; raises ValueError if it is damaged."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint to `path`; the file that is there moves to `before.ckpt`."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    content = buffer.getbuffer()
    head = HEAD + hashlib.sha256(content).hexdigest().encode() + b"\n"
    put(path, head, content, partial=path.with_suffix(".partial"), before=path.with_name(BEFORE))
    _flush_names(path.parent)


def _flush_names(folder: Path) -> None:
    """Write the names in a folder to disk, if the system offers that."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's plain data on the CPU; raises ValueError if the file was changed."""
    check_ends(path)
    with path.open("rb") as file:
        head = file.readline(200)
        content = file.read()
    digest = hashlib.sha256(content).hexdigest().encode()
    if head != HEAD + digest + b"\n":
        raise ValueError(f"{path} is damaged: its checksum does not fit")
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise ValueError(f"{path} holds more than plain data, which is not executed") from None


def newest(
    folder: Path, say: Callable[[str], None] = lambda line: None
) -> tuple[Path, dict[str, Any]] | None:
    """Return the newest undamaged checkpoint and its data; None if none was ever written.

    `say` receives a line for each damaged one. Raises Problem if all are damaged.
    """
    paths = [folder / name for name in (LAST, BEFORE) if (folder / name).exists()]
    damaged: list[Path] = []
    for path in paths:
        try:
            saved = read_checkpoint(path)
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            say(f"{error}; trying the previous one")
            damaged.append(path)
            continue
        for bad in damaged:  # so that the next save does not keep it as `before.ckpt`
            with suppress(OSError):
                bad.replace(bad.with_suffix(".damaged"))
        return path, saved
    if paths:
        raise Problem(f"no checkpoint in {folder} can be read; use --restart to start over")
    return None


def check_identity(checkpoint: dict[str, Any], identity: Identity, path: Path) -> None:
    """Raise Problem naming the differences if a checkpoint is another run's."""
    other = checkpoint.get("identity", {})
    differing = [key for key, wanted in asdict(identity).items() if other.get(key) != wanted]
    if differing:
        what = ", ".join(f"{key} {other.get(key)!r}" for key in differing)
        raise Problem(f"{path} is of another run: {what}; use --restart to start this one over")


def check_images(checkpoint: dict[str, Any], images: int, path: Path) -> None:
    """Raise Problem if the run started with another number of readable training images."""
    started = checkpoint.get("images", images)
    if started != images:
        raise Problem(
            f"{path} is of a run on {started} training images that could be opened, not {images}: "
            "it cannot be resumed with a different image order; use --restart to start over"
        )


def position(checkpoint: dict[str, Any]) -> tuple[int, int]:
    """Return the epoch in which a checkpoint was saved, and the micro-batches done in it."""
    progress = checkpoint["loops"]["fit_loop"]
    epoch = progress["epoch_progress"]["current"]
    micro_batches = progress["epoch_loop.batch_progress"]
    whole = epoch["processed"] == epoch["started"]
    return epoch["processed"], 0 if whole else micro_batches["current"]["processed"]


class CheckpointCallback(lightning.Callback):
    """Saves after every epoch, every `seconds` in between, and when a stop signal comes.

    `images` is the number of training images, which a resumed run must find again.
    """

    def __init__(
        self, folder: Path, identity: Identity, stop: Stop, seconds: float, *, images: int
    ) -> None:
        self.path, self.identity, self.stop, self.seconds = folder / LAST, identity, stop, seconds
        self.images = images
        self.saved = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Take over the signals, which Lightning would answer without saving."""
        self.stop.listen()

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        task: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Store the run's identity in the checkpoint."""
        checkpoint["identity"] = asdict(self.identity)
        checkpoint["images"] = self.images

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        task: lightning.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Save if it is time to, between two optimizer steps, but not before a validation.

        After an epoch's last batch Lightning would resume without validating that epoch.
        """
        done = batch_idx + 1
        if done % trainer.accumulate_grad_batches or done == trainer.num_training_batches:
            return
        asked = self.stop.asked is not None
        if self._agreed(trainer, asked or time.monotonic() - self.saved > self.seconds):
            self._save(trainer)
            if self._agreed(trainer, asked):
                raise Stopped(self.stop.asked, saved=True)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Save the whole epoch."""
        self._save(trainer)
        if self._agreed(trainer, self.stop.asked is not None):
            raise Stopped(self.stop.asked, saved=True)

    def can_save(self, trainer: lightning.Trainer) -> bool:
        """Return whether the run can save while it waits for a batch.

        That is between two optimizer steps of an epoch, if no other process has to save with it.
        """
        done = trainer.fit_loop.epoch_loop.batch_idx + 1
        between = done > 0 and done % trainer.accumulate_grad_batches == 0
        return between and trainer.world_size == 1

    def save_if_possible(self, trainer: lightning.Trainer) -> bool:
        """Save if the run can; return whether it did."""
        possible = self.can_save(trainer)
        if possible:
            self._save(trainer)
        return possible

    def _save(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self.saved = time.monotonic()

    def _agreed(self, trainer: lightning.Trainer, wish: bool) -> bool:
        """Return whether any process of the run wishes so: they save and stop together."""
        if trainer.world_size == 1:
            return wish
        return trainer.strategy.reduce_boolean_decision(wish, all=False)
