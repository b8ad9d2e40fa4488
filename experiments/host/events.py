"""Typed events: what a run reports while it trains. An observer is a function of one event.

Events carry numbers; `line` is what a log or a terminal shows of them, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from roadmap.record import Record
from roadmap.tasks import main_number


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in the run of this name."""

    run: str

    @property
    def line(self) -> str:
        """One line for a log; empty if the event needs none."""
        return ""


Observer = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class Message(Event):
    """A sentence for people; `state` is a short form of it for a progress bar."""

    text: str
    state: str = ""

    @property
    def line(self) -> str:
        """The text."""
        return self.text


@dataclass(frozen=True, kw_only=True)
class Preparing(Event):
    """Before training, `done` of `total` images went through the work that `what` names."""

    what: str
    done: int
    total: int

    @property
    def line(self) -> str:
        """Name the work once, when it begins."""
        return self.what if self.done == 1 else ""


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """Training starts or resumes after the epochs in `history` and after `step` of `steps`."""

    history: Sequence[Mapping[str, float]]
    step: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class StepDone(Event):
    """`step` of `steps` optimizer steps are done; reported at most four times a second.

    `loss` is the latest training loss that is known without waiting for the device, of one
    micro-batch of this process; None if none is known.
    """

    step: int
    steps: int
    loss: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class EpochDone(StepDone):
    """`epoch` of `epochs` is done; `metrics` is its entry in the record's history."""

    epoch: int
    epochs: int
    metrics: Mapping[str, float]

    @property
    def line(self) -> str:
        """The epoch's metrics in words."""
        parts = (
            f"epoch {self.epoch}/{self.epochs}",
            f"train loss {self.metrics['train_loss']:.3f}",
            main_number(self.metrics, decimals=2),
            f"{self.metrics['images_per_second']:.0f} images/s",
        )
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, kw_only=True)
class RunDone(Event):
    """The run left this record."""

    record: Record

    @property
    def line(self) -> str:
        """The record in a few words."""
        record = self.record
        if record.status != "finished":
            return "diverged"
        known = {} if record.top1 is None else {"top1": record.top1}
        number = main_number(known or record.metrics, decimals=2)
        return f"{number}, {record.images_per_second:.0f} images/s, {record.wall_seconds:.0f} s"


@dataclass(frozen=True, kw_only=True)
class RunFailed(Event):
    """The run ended without a record; `reason` is for people, `error` is what was raised."""

    reason: str
    error: BaseException

    @property
    def line(self) -> str:
        """The reason."""
        return self.reason
