"""How fast networks train and answer, measured in turn so that drift meets all alike.

Images are random numbers on the device: what loading and augmentation take is not in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import torch
from torch import nn

from experiments.benchmarks.measure import in_turn, seconds_each
from experiments.data.source import Progress
from experiments.host.limits import cores
from experiments.host.log import now
from experiments.host.machine import Machine
from experiments.measuring.memory import peak_bytes, tensors_of
from experiments.tasks.optimizer import average, make_optimizer
from experiments.training.provenance import describe_machine
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.record import Label
from roadmap.spec import Spec, to_dict
from roadmap.speed import Speed, speed_key

MOST_ON_CPU, MOST_ON_GPU = 32, 256  # images of a batch, unless another is asked for


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How speeds are measured: `rounds` of about `seconds` for each number of each network."""

    rounds: int = 5
    seconds: float = 1.0
    batch: int | None = None

    def batch_for(self, specs: Sequence[Spec], device: torch.device) -> int:
        """Return one batch for all networks: the one asked for, else at most the recipes'."""
        most = MOST_ON_GPU if device.type == "cuda" else MOST_ON_CPU
        return self.batch or min(most, *(spec.recipe.batch for spec in specs))


class Timed:
    """One network on a device, with its optimizer and random images."""

    def __init__(self, spec: Spec, batch: int, machine: Machine, device: torch.device) -> None:
        recipe = spec.recipe
        torch.manual_seed(0)
        built = build(spec.network, recipe.image_size)
        self.network = built.to(device).to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.network, recipe)
        self.averaged = average(self.network, recipe)
        self.device, self.batch, self.steps = device, batch, 0
        shape = (batch, 3, recipe.image_size, recipe.image_size)
        images = torch.randn(shape, device=device)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.one = self.images[:1].contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(spec.network.classes, (batch,), device=device)
        self.half = machine.precision == "bf16"
        if machine.compile:
            self.network.compile(dynamic=False)

    def train(self) -> None:
        """Take one optimizer step."""
        self.network.train()
        with self._autocast():
            logits = self.network(self.images)
            loss = nn.functional.cross_entropy(logits, self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        if self.averaged is not None:
            self.averaged.update(self.network, step=self.steps)

    @torch.inference_mode()
    def infer(self) -> None:
        """Classify one batch."""
        with self._autocast():
            self.network.eval()(self.images)

    @torch.inference_mode()
    def answer(self) -> None:
        """Classify one image."""
        with self._autocast():
            self.network.eval()(self.one)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def rest(self) -> None:
        """Free the gradients while other networks have their turn."""
        self.optimizer.zero_grad(set_to_none=True)

    def peaks(self) -> tuple[int, int]:
        """Return the peak bytes of a training step and of inference at the same batch."""
        self.rest()
        weights = [*self.network.parameters(), *self.network.buffers()]
        inference = peak_bytes(self.infer, [*weights, self.images], self.device)
        held = [*tensors_of(self.network, self.optimizer), self.images]
        if self.averaged is not None:
            held += self.averaged.module.parameters()
        training = peak_bytes(self.train, held, self.device)
        self.rest()
        return training, inference


def measure_speeds(
    rows: Sequence[tuple[Label, Spec]],
    plan: Plan,
    machine: Machine,
    *,
    command: str,
    progress: Progress,
) -> list[Speed]:
    """Return the speed of each row's network on this machine's device.

    Raises Problem if they do not fit into its memory.
    """
    started, load = now(), load_per_core()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(machine.threads)
    batch = plan.batch_for([spec for _, spec in rows], device)
    done, total = 0, len(rows) * (plan.rounds + 1)

    def count() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    timed, peaks, lengths = [], [], []
    for label, spec in rows:
        try:
            network = Timed(spec, batch, machine, device)
            timed.append(network)
            network.train()  # makes the state of the optimizer
            peaks.append(network.peaks())
            kinds = (network.train, network.infer, network.answer)
            lengths.append([_steps(kind, plan.seconds, device) for kind in kinds])
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as fault:
            if type(fault) is RuntimeError and "memory" not in str(fault):
                raise
            fitting = f"--batch {max(1, batch // 2)}"
            raise Problem(
                f"row {label.row} at batch {batch} does not fit into memory; give {fitting}, or "
                "fewer rows"
            ) from None
        network.rest()
        count()

    def turn(network: Timed, steps: Sequence[int]) -> Callable[[], tuple[float, float, float]]:
        def measured() -> tuple[float, float, float]:
            network.train()  # brings caches and clocks to this network
            kinds = (network.train, network.infer, network.answer)
            train, infer, one = (
                seconds_each(kind, count, device) for kind, count in zip(kinds, steps, strict=True)
            )
            network.rest()
            count()
            return batch / train, batch / infer, 1000 * one

        return measured

    turns = [turn(network, steps) for network, steps in zip(timed, lengths, strict=True)]
    trials = in_turn(plan.rounds, *turns)
    provenance = describe_machine(
        machine, images="random, on the device", command=command, started=started, finished=now()
    )
    return [
        Speed(
            key=speed_key(to_dict(spec)),
            label=label,
            image_size=spec.recipe.image_size,
            classes=spec.network.classes,
            batch=batch,
            training=tuple(round(trial[0], 2) for trial in row),
            inference=tuple(round(trial[1], 2) for trial in row),
            latency=tuple(round(trial[2], 4) for trial in row),
            training_bytes=peak[0],
            inference_bytes=peak[1],
            load=load,
            provenance=replace(provenance, workers=0),
        )
        for (label, spec), row, peak in zip(rows, trials, peaks, strict=True)
    ]


def _steps(work: Callable[[], object], seconds: float, device: torch.device) -> int:
    """Return how many calls take about this long, after one that warms up."""
    work()
    return max(1, ceil(seconds / seconds_each(work, 1, device)))


def load_per_core() -> float | None:
    """Return the busy processes per core over the last minute; None if the system does not say."""
    try:
        return round(os.getloadavg()[0] / cores(), 2)
    except (OSError, AttributeError):
        return None
