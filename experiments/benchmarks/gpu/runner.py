"""The runner against a bare loop whose batches already lie on the device, and its waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch

from experiments.benchmarks.gpu.noise import NoiseSettings
from experiments.benchmarks.gpu.operations import Counted
from experiments.benchmarks.gpu.part import Fact
from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import Measurement, ratio
from experiments.benchmarks.training import Turns
from experiments.data.splits import Statistics, open_data
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.loading.views import HeldOnDevice
from experiments.request import Request
from experiments.tasks.classification import Classification
from experiments.tasks.mixing import mixup
from experiments.tasks.optimizer import make_optimizer
from experiments.training.loop import train_here
from roadmap.network import build

COMMAND = "make bench-gpu"
EPOCHS = 2  # the first warms up


def runner(plan: Plan) -> Iterator[Measurement | Fact]:
    """Images per second of both, measured in turns, for each run of the plan; the waits first."""
    operations, by_name = waits(plan)
    yield Fact(key="synchronizations_per_step", value=sum(by_name.values()))
    yield Fact(key="synchronizations", value=by_name)
    yield Fact(key="operations_per_step", value=operations)
    machine = Machine.shared_by(1, precision=plan.precision, compile=False)
    if plan.dry:  # one thread, which other processes do not slow down so much
        machine = replace(machine, threads=1, workers=0)
    for roadmap, row, images, size in plan.runs:
        with TemporaryDirectory() as folder:
            request = _request(roadmap, row, images, size, Path(folder), plan)
            untimed = 2 * machine.workers  # each makes two batches while the bare loop runs
            batch = request.spec.recipe.batch
            turns = Turns(device_loop(request, plan), batch, plan.device, untimed)
            train_here(Job(request=request, machine=machine, command=COMMAND), turns.tell)
        name = f"{roadmap} {row}, {size} px, batch {batch}"
        ours = turns.images_per_second(turns.runner)
        theirs = turns.images_per_second(turns.loop)
        if not ours:  # reports come four times a second at most
            raise RuntimeError(f"{name}: an epoch is too short to be timed")
        yield Measurement(name=f"{name}: runner", unit="img/s", trials=ours)
        yield Measurement(name=f"{name}: bare loop", unit="img/s", trials=theirs)
        yield ratio(f"{name}: runner / bare loop", ours, theirs, "aim ≥ 0.9")


def _request(roadmap: str, row: str, images: int, size: int, runs: Path, plan: Plan) -> Request:
    overrides: dict[str, Any] = {"recipe.epochs": EPOCHS, "recipe.image_size": size}
    if plan.dry or roadmap == "resnet50":
        overrides["recipe.batch"] = 2 * plan.batch if plan.dry else plan.batch
    settings = NoiseSettings(roadmap=roadmap, overrides=overrides, runs=runs)
    request = Request(settings=settings.with_noise(images, size), row=row, seed=0)
    request.folder.mkdir(parents=True)
    return request


def device_loop(request: Request, plan: Plan) -> Iterator[None]:
    """Train on four batches that are on the device, with nothing else in the loop."""
    recipe, classes = request.spec.recipe, request.settings.source.classes
    network = build(request.spec.network, recipe.image_size).to(memory_format=torch.channels_last)
    network.to(plan.device).train()
    optimizer, mix = make_optimizer(network, recipe), mixup(recipe, classes)
    shape = (recipe.batch, 3, recipe.image_size, recipe.image_size)
    batches = [
        (
            torch.randn(shape, device=plan.device).contiguous(memory_format=torch.channels_last),
            torch.randint(0, classes, (recipe.batch,), device=plan.device),
        )
        for _ in range(4)
    ]
    for images, labels in cycle(batches):
        if mix:
            images, labels = mix(images.clone(), labels)
        with torch.autocast(plan.device.type, torch.bfloat16, enabled=plan.precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def waits(plan: Plan) -> tuple[int, dict[str, float]]:
    """Count the operations of a training step, and by name those that wait for the device.

    This is a short run of the real runner. Steps next to the start and the end of an epoch are left
    out. The augmentation of a batch, which a GPU does in the training process, is counted apart.
    """
    counted, steps = Counted(), 0
    begin = Classification.on_train_batch_start

    def started(task: Classification, batch: object, number: int) -> None:
        nonlocal steps
        states = task.optimizer.state.values()
        # The optimizer's step counters are on the host also next to a GPU.
        counted.on_host = {state["step"].data_ptr() for state in states if "step" in state}
        counted.counting = 2 <= number < task.steps_per_epoch - 1
        steps += counted.counting
        begin(task, batch, number)

    counted.counting = False
    # With a loading process, what is decided there is not counted here. More than two threads
    # allow one; the number is set back below.
    machine = Machine(
        threads=1, workers=1, images="stream", precision=plan.precision, compile=False
    )
    with TemporaryDirectory() as folder:
        request = _request("tiny", "13", 64, 32, Path(folder), plan)
        with counted, patch.object(Classification, "on_train_batch_start", started):
            train_here(Job(request=request, machine=machine, command=COMMAND), lambda event: None)
        recipe, data = request.spec.recipe, open_data(request.settings.source)
    views = HeldOnDevice(data.train, recipe, 0, Statistics(), plan.device)
    picked = views.pick([(0, index) for index in range(recipe.batch)])
    on_device = {name: tensor.to(plan.device) for name, tensor in picked.tensors.items()}
    with Counted() as augmenting:
        views.finish(replace(picked, tensors=on_device))
    by_name = {name: number / steps for name, number in counted.waits.items()}
    for name, number in augmenting.waits.items():
        by_name[name] = by_name.get(name, 0) + number
    return round(sum(counted.operations.values()) / steps), by_name
