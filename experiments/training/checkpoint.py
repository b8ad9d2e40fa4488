"""Checkpoints that are whole or not there: written beside, proven by a checksum, one before kept.

A file is a line `sha256 <digest>` and then what torch.save wrote. It is flushed and renamed into
its place, and the one that was there becomes the one before. Nothing but plain data is loaded.
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
from roadmap.files import put
from roadmap.record import Identity

LAST, BEFORE = "last.ckpt", "before.ckpt"
HEAD = b"sha256 "


class ChecksummedCheckpointIO(CheckpointIO):
    """Lightning's way to files, ours."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the checkpoint; where that fails, what was there before is still there."""
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint, proving it; raises ValueError for one that is damaged."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Put a checkpoint at `path`; the one there moves to `before.ckpt`."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    content = buffer.getbuffer()
    head = HEAD + hashlib.sha256(content).hexdigest().encode() + b"\n"
    beside, before = path.with_suffix(".partial"), path.with_name(BEFORE)
    put(path, head, content, beside=beside, before=before)
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """Have the names in a folder written down, where the system can be asked to."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's plain data, on the CPU; ValueError where the file is not what was written."""
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
    """The newest checkpoint that is whole, and its data; None where none was ever written.

    Says which is not whole; raises Problem where none is.
    """
    there = [folder / name for name in (LAST, BEFORE) if (folder / name).exists()]
    damaged = []
    for path in there:
        try:
            saved = read_checkpoint(path)
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            say(f"{error}; trying the one before")
            damaged.append(path)
            continue
        for each in damaged:  # lest it be kept as the one before
            with suppress(OSError):
                each.replace(each.with_suffix(".damaged"))
        return path, saved
    if there:
        raise Problem(f"no checkpoint in {folder} can be read; --restart begins the run anew")
    return None


def check_identity(checkpoint: dict[str, Any], identity: Identity, path: Path) -> None:
    """Raise Problem naming what differs, where a checkpoint is another run's."""
    found = checkpoint.get("identity", {})
    differing = [key for key, wanted in asdict(identity).items() if found.get(key) != wanted]
    if differing:
        what = ", ".join(f"{key} {found.get(key)!r}" for key in differing)
        raise Problem(f"{path} is of another run: {what}; --restart begins this one anew")


def check_images(checkpoint: dict[str, Any], images: int, path: Path) -> None:
    """Raise Problem where the run began with another number of training images left out."""
    began = checkpoint.get("images", images)
    if began != images:
        raise Problem(
            f"{path} is of a run on {began} training images that could be opened, not {images}: "
            "its order of images cannot be gone on with; --restart begins the run anew"
        )


class CheckpointCallback(lightning.Callback):
    """Saves at the end of every epoch, every `seconds` in between, and when asked to stop."""

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
        """Write down whose it is."""
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
        """Save where it is time to, between two optimizer steps; not before a validation.

        After an epoch's last batch Lightning would go on without validating it.
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

    def _save(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self.saved = time.monotonic()

    def _agreed(self, trainer: lightning.Trainer, wish: bool) -> bool:
        """Whether one of the run's processes wishes so: they save and stop together."""
        if trainer.world_size == 1:
            return wish
        return trainer.strategy.reduce_boolean_decision(wish, all=False)
