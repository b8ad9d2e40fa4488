"""Train a few steps of each row, for a plan before any run exists."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.host.events import EpochDone, Event, Started, StepDone
from experiments.host.imports import imported_without_gc
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.meeting import Meeting, Stage
from experiments.request import Request

STEPS = 20
PATIENCE = 60.0  # seconds for the steps of one row
MOST_IMAGES = 256  # of a step: more change the speed of an image little, and take long
VALIDATION = 1 / 3  # of the time that training takes for an image: no backward pass
SPLIT = 0.2  # validation images for each training image, at most


class Enough(Exception):
    """The steps are timed."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Seconds of one training image and of a run's start, on one device."""

    image: float
    start: float


class Clock:
    """An observer that times steps, without validation, and then ends the run.

    The step that is reported first in each epoch only starts the clock: it warms up. `wait` ends
    when the device has done all steps so far, of which the host may be ahead. In a meeting, the
    clock starts when all runs are warm, and the run goes on until all are timed.
    """

    def __init__(
        self,
        batch: int,
        *,
        wait: Callable[[], None] = lambda: None,
        meeting: Meeting | None = None,
    ) -> None:
        self.batch, self.wait, self.meeting = batch, wait, meeting
        self.begin = time.monotonic()
        self.start = self.seconds = self.whole_epoch = 0.0
        self.steps = 0
        self.last: tuple[int, float] | None = None

    def __call__(self, event: Event) -> None:
        """Take the time; raises Enough after STEPS steps or PATIENCE seconds, or at the end."""
        if isinstance(event, StepDone):
            self.wait()
        now = time.monotonic()
        late = now - self.begin > PATIENCE
        if isinstance(event, Started):
            self.start, self.begin = now - self.begin, now
        elif isinstance(event, EpochDone):
            self.whole_epoch, self.last = event.metrics["images_per_second"], None
        elif isinstance(event, StepDone) and (self._all_are("warm") or late):
            if self.last is not None and self.steps < STEPS:
                self.steps += event.step - self.last[0]
                self.seconds += now - self.last[1]
            self.last = event.step, now
        ended = isinstance(event, EpochDone) and event.epoch == event.epochs
        timed = self.steps >= STEPS and self._all_are("timed")
        if timed or ended or (late and self.steps > 0):
            raise Enough

    def _all_are(self, stage: Stage) -> bool:
        return self.meeting is None or self.meeting.all_are(stage)

    @property
    def image(self) -> float:
        """Seconds of a training image; 0 if nothing was timed."""
        if self.steps:
            return self.seconds / self.steps / self.batch
        return 1 / self.whole_epoch if self.whole_epoch else 0.0


def seconds_of_runs(
    requests: Sequence[Request], machine: Machine, say: Callable[[str], None]
) -> dict[str, float]:
    """Return the seconds of whole runs on one device, by the fingerprint of their spec.

    Rows that differ in the length of training or in rates only are timed once. A row that fails is
    said and left out.
    """
    timed: dict[tuple[Any, ...], Timed | None] = {}
    seconds: dict[str, float] = {}
    for request in requests:
        key = _key(request)
        if key not in timed:
            timed[key] = time_run(request, machine, say)
        if (one := timed[key]) is not None:
            images = request.settings.source.images * request.spec.recipe.epochs
            share = 1 + VALIDATION * SPLIT
            seconds[request.identity.spec] = images * one.image * share + one.start
    return seconds


def _key(request: Request) -> tuple[Any, ...]:
    """Return what decides the speed of an image."""
    recipe = request.spec.recipe
    return (
        request.identity.network, recipe.image_size, min(recipe.batch, MOST_IMAGES),
        recipe.randaugment, recipe.mixup, recipe.optimizer, recipe.ema > 0,
    )  # fmt: skip


def time_run(
    request: Request,
    machine: Machine,
    say: Callable[[str], None],
    meeting: Meeting | None = None,
) -> Timed | None:
    """Train a few steps of a run in this process, and leave nothing; None if that fails."""
    with imported_without_gc():
        import torch

        from experiments.training.loop import train_here

    def wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    with TemporaryDirectory() as folder:
        short = _short(request, Path(folder))
        short.folder.mkdir(parents=True)
        clock = Clock(short.spec.recipe.batch, wait=wait, meeting=meeting)
        try:
            train_here(Job(request=short, machine=replace(machine, compile=False)), clock)
        except Enough:
            pass
        except Exception as fault:
            say(f"{request.label.row}: not measured: {type(fault).__name__}: {fault}")
            return None
    if not clock.image:
        say(f"{request.label.row}: not measured: no step ended")
        return None
    say(f"{request.label.row} {request.label.step}: {1 / clock.image:.0f} images/s")
    return Timed(image=clock.image, start=clock.start)


def _short(request: Request, runs: Path) -> Request:
    """Return the request with steps that are not too large, and with a folder of its own."""
    settings = replace(request.settings, runs=runs)
    batch = min(request.spec.recipe.batch, MOST_IMAGES, request.settings.source.images)
    if batch < request.spec.recipe.batch:
        settings = replace(settings, overrides={**settings.overrides, "recipe.batch": batch})
    vars(settings)["source"] = request.settings.source
    return replace(request, settings=settings)
