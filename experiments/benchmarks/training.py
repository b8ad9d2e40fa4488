"""Compare the runner with a bare PyTorch loop, and our augmentation with timm's."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from experiments.benchmarks.measure import Measurement, in_turn, ratio, seconds_each, synchronize
from experiments.data.fractals import Fractals
from experiments.data.splits import DataSet, Statistics, open_data
from experiments.host.events import EpochDone, Event, StepDone
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.loading.loaders import choose_loading, train_loader
from experiments.loading.samplers import EpochSampler, Share
from experiments.loading.views import Held, HeldOnDevice, Streamed, Views
from experiments.request import Request
from experiments.settings import Settings
from experiments.tasks.mixing import mixup
from experiments.tasks.optimizer import make_optimizer
from experiments.training.loop import train_here
from roadmap.network import build

CPU = torch.device("cpu")
ROWS = ("01", "08", "13")
PLAIN = {  # no augmentation at all
    "recipe.crop_scale": None,
    "recipe.flip": 0.0,
    "recipe.randaugment": None,
    "recipe.erasing": 0.0,
    "recipe.mixup": 0.0,
    "recipe.cutmix": 0.0,
}


class Small(Settings):
    """The built-in data with 2,000 images, so that an epoch is short."""

    @cached_property
    def source(self) -> Fractals:
        """20 categories × 100 images."""
        return Fractals(categories=20, train=100, val=10)


def against_a_bare_loop(trials: int) -> Iterator[Measurement]:
    """Compare images per second of the runner with those of a loop that only trains.

    The two take turns after every few steps in one process, so that drift of the machine affects
    both equally. A trial is an epoch.
    """
    machine = Machine(threads=1, workers=0, precision="32", compile=False)
    for row in ROWS:
        runners = {}
        for name, overrides in (("plain", PLAIN), ("enhanced", {})):
            runner, loop = _in_turn(row, overrides, machine, epochs=1 + 2 * trials)
            runners[name] = runner
            yield Measurement(name=f"row {row}, {name}: runner", unit="img/s", trials=runner)
            yield Measurement(name=f"row {row}, {name}: bare loop", unit="img/s", trials=loop)
            yield ratio(f"row {row}, {name}: runner / bare loop", runner, loop, "aim ≥ 0.97")
        yield ratio(
            f"row {row}: augmentation costs, plain / enhanced",
            runners["plain"],
            runners["enhanced"],
        )


def _in_turn(
    row: str, overrides: dict[str, Any], machine: Machine, epochs: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return images per second by epoch: the runner's and the loop's."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = {"recipe.epochs": epochs, **overrides}
        settings = Small(roadmap="tiny", overrides=overrides, runs=Path(folder))
        request = Request(settings=settings, row=row, seed=0)
        request.folder.mkdir(parents=True)
        turns = Turns(bare_loop(request, machine), request.spec.recipe.batch)
        train_here(Job(request=request, machine=machine, command="make bench"), turns.tell)
    return turns.images_per_second(turns.runner), turns.images_per_second(turns.loop)


class Turns:
    """An observer that runs a bare loop for as many steps as the runner just did.

    It keeps seconds per step by epoch. Those of the runner lie between two reports in one epoch:
    between epochs the runner validates and saves, which is not timed. `untimed` steps after that,
    and after each turn of the loop, are not timed either: loading processes have made their
    batches meanwhile.
    """

    def __init__(
        self,
        loop: Iterator[object],
        batch: int,
        device: torch.device = CPU,
        untimed: int = 0,
    ) -> None:
        self.steps, self.batch, self.device, self.untimed = loop, batch, device, untimed
        self.runner: dict[int, list[float]] = defaultdict(list)
        self.loop: dict[int, list[float]] = defaultdict(list)
        self.epoch = 0
        self.done: int | None = None
        self.first = untimed  # step from which the runner may be timed
        self.since = 0.0

    def tell(self, event: Event) -> None:
        """Time the runner's steps since the last report, then as many of the loop."""
        if isinstance(event, EpochDone):
            self.epoch, self.done, self.first = self.epoch + 1, None, event.step + self.untimed
            return
        if not isinstance(event, StepDone) or event.step < self.first:
            return
        synchronize(self.device)
        arrived = time.perf_counter()
        if self.done is not None and (steps := event.step - self.done):
            self.runner[self.epoch] += [(arrived - self.since) / steps] * steps
            seconds = seconds_each(lambda: next(self.steps), steps, self.device)
            self.loop[self.epoch] += [seconds] * steps
            if self.untimed:
                self.done, self.first = None, event.step + self.untimed
                return
        self.done, self.since = event.step, time.perf_counter()

    def images_per_second(self, seconds: dict[int, list[float]]) -> tuple[float, ...]:
        """Return the speed in each epoch except the first, which warms up."""
        return tuple(self.batch / fmean(steps) for epoch, steps in seconds.items() if epoch)


def bare_loop(request: Request, machine: Machine) -> Iterator[None]:
    """Train with the plainest loop over the same batches, network and optimizer."""
    spec, data = request.spec, _data(request)
    recipe = spec.recipe
    network = build(spec.network, recipe.image_size).to(memory_format=torch.channels_last)
    optimizer, mix = make_optimizer(network, recipe), mixup(recipe, data.source.classes)
    loading = choose_loading(data, recipe, machine)
    views = train_loader(data, recipe, 0, share=Share(), loading=loading).views
    order = EpochSampler(len(data.train), recipe.batch, 0)
    network.train()
    for epoch in count():
        order.set_epoch(epoch)
        for keys in order:
            images, labels = views[keys]
            if mix:
                images, labels = mix(images, labels)
            loss = torch.nn.functional.cross_entropy(
                network(images.contiguous(memory_format=torch.channels_last)), labels
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def _data(request: Request) -> DataSet:
    return open_data(request.settings.source)


def augmentation_beside_timms(trials: int) -> Iterator[Measurement]:
    """Measure milliseconds per image on one thread, and the ratio to timm's own transforms."""
    settings = Small(roadmap="tiny")
    request = Request(settings=settings, row="05", seed=0)
    data, recipe = _data(request), request.spec.recipe
    torch.set_num_threads(1)
    kept = (data.train, recipe, 0, Statistics())
    views = (Held(*kept), Streamed(*kept), HeldOnDevice(*kept, torch.device("cpu")))
    passes = [partial(_a_pass, way, recipe.batch) for way in views]
    ours, theirs, batched = in_turn(trials, *passes)
    yield Measurement(name="augmentation, held in memory", unit="ms", trials=tuple(ours))
    yield Measurement(name="augmentation, timm's transforms", unit="ms", trials=tuple(theirs))
    yield Measurement(
        name="augmentation, as tensors (a GPU's way)", unit="ms", trials=tuple(batched)
    )
    yield ratio("augmentation: held / timm's", ours, theirs)


def _a_pass(views: Views, batch: int) -> float:
    images = 1024
    start = time.perf_counter()
    for first in range(0, images, batch):
        views[[(0, index) for index in range(first, first + batch)]]
    return 1000 * (time.perf_counter() - start) / images
