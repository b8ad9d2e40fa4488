"""The weighted loss, and how to find one that is not finite without waiting in every step."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor, nn

LAG = 8  # micro-batches after which a GPU's loss is read; it has long been computed by then


@dataclass(frozen=True, kw_only=True)
class Step:
    """Where in the run a loss was computed."""

    step: int
    epoch: int
    micro_batch: int
    learning_rate: float


def class_weights(labels: numpy.ndarray, classes: int) -> Tensor:
    """Return images / (classes × images of the class) for each class that has images, else 0.

    Their mean over all images is 1.
    """
    counts = numpy.bincount(labels, minlength=classes)
    known = counts > 0
    weights = numpy.zeros(classes)
    weights[known] = len(labels) / (known.sum() * counts[known])
    return torch.from_numpy(weights).float()


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Return the mean cross-entropy in which each class counts by its weight.

    Labels are (batch,), which are smoothed here, or soft ones (batch, classes). The sum is divided
    by the images, not by their weights: so a step is the same however it is shared out.
    """
    if labels.dim() == 1:
        shares = nn.functional.one_hot(labels, len(weights)).to(logits.dtype)
        labels = shares * (1 - smoothing) + smoothing / len(weights)
    return -(weights * labels * logits.log_softmax(1)).sum(1).mean()


class NotFinite(Exception):
    """The loss of this step is not finite, in this process or in another one of the run."""

    def __init__(self, loss: float, step: Step) -> None:
        super().__init__(loss, step)
        self.loss, self.step = loss, step


class LossWatch:
    """A ring of the latest losses in the host's memory, to which the device copies by itself.

    A loss is read a fixed number of micro-batches later, so all processes of a run find the same
    fault at the same place and stop together. On a CPU it is read at once.
    """

    def __init__(self, device: torch.device, world: int = 1, lag: int | None = None) -> None:
        self.device, self.world = device, world
        self.lag = (LAG if device.type == "cuda" else 0) if lag is None else lag
        ring = torch.zeros(self.lag + 1, 2, pin_memory=device.type == "cuda")
        self.slots, self.values = list(ring.unbind()), ring.numpy()  # the same memory
        self.pending: deque[tuple[int, Step, torch.cuda.Event | None]] = deque()
        self.count = 0
        self.latest: float | None = None  # the loss that was read last

    def add(self, loss: Tensor, step: Step) -> None:
        """Take in the loss of a micro-batch; raises NotFinite for one of `lag` before."""
        loss = loss.detach()
        everyones = loss * 0  # 0, or not a number
        if self.world > 1:
            torch.distributed.all_reduce(everyones)
        slot = self.count % len(self.slots)
        self.slots[slot].copy_(torch.stack([loss, everyones]), non_blocking=True)
        event = None
        if self.device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
        self.pending.append((slot, step, event))
        self.count += 1
        while len(self.pending) > self.lag:
            self._read()

    def check(self) -> None:
        """Wait for all losses so far; raises NotFinite for the first that is not finite."""
        while self.pending:
            self._read()

    def _read(self) -> None:
        slot, step, event = self.pending.popleft()
        if event is not None:
            event.synchronize()
        loss, everyones = map(float, self.values[slot])
        if not math.isfinite(everyones):
            raise NotFinite(loss, step)
        self.latest = loss
