"""Where the time of a training step goes, and the floors that arithmetic and memory set."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from unittest.mock import patch

import torch
from torch.profiler import ProfilerActivity, profile

from experiments.benchmarks.measure import (
    Measurement,
    copy_rate,
    in_turn,
    matrix_rate,
    ratio,
    seconds_each,
)
from experiments.tasks.optimizer import make_optimizer
from roadmap.cost import cost
from roadmap.layers import DepthwiseConvolution
from roadmap.network import build
from roadmap.spec import Spec
from steps.roadmaps.load import load_roadmap

CPU = torch.device("cpu")
KINDS = {  # by the words in an operator's name; the first that fits
    "convolution": ("convolution", "mkldnn", "bmm", "addmm", "mm"),
    "norm": ("norm",),
    "activation": ("relu", "gelu", "threshold"),
    "optimizer": ("adam", "sgd"),
}


def where_the_time_goes(steps: int) -> Iterator[Measurement]:
    """Measure milliseconds per step by kind of operator, on one thread, and the floors."""
    torch.set_num_threads(1)
    multiplied, copied = matrix_rate(CPU, 1024, torch.float32), copy_rate(CPU, 1 << 26)
    yield Measurement(name="matrix product, float32", unit="GMAC/s", trials=(multiplied / 1e9,))
    yield Measurement(name="memory, read and written", unit="GB/s", trials=(copied / 1e9,))
    for row in ("01", "08", "13"):
        spec = load_roadmap("tiny")[row].spec
        step = _step(spec)
        ways = (step, _as_convolutions(step))
        now, before = in_turn(steps, *(partial(seconds_each, way, 1, CPU) for way in ways))
        yield ratio(f"row {row}: depthwise all as convolutions / now", before, now)
        batch, size = spec.recipe.batch, spec.recipe.image_size
        by_kind = _profiled(step, steps)
        total = sum(by_kind.values())
        for kind, seconds in sorted(by_kind.items(), key=lambda item: -item[1]):
            share = f"{100 * seconds / total:.0f} %"
            yield Measurement(
                name=f"row {row}: {kind}", unit="ms", trials=(1000 * seconds,), aim=share
            )
        walked = cost(spec.network, size)
        by_macs = 3 * batch * walked.macs / multiplied  # forward, and backward twice as much
        # a convolution's, its norm's and its activation's output, each written and read once, twice
        by_bytes = 4 * 2 * 3 * 2 * batch * walked.activations / copied
        floors = (("of MACs", by_macs), ("of bytes", by_bytes))
        for name, floor in floors:
            share = f"{100 * floor / total:.0f} % of {1000 * total:.0f} ms"
            yield Measurement(
                name=f"row {row}: floor {name}", unit="ms", trials=(1000 * floor,), aim=share
            )


def _step(spec: Spec) -> Callable[[], None]:
    """Return a function for one optimizer step of a spec's network on noise, warmed up."""
    recipe = spec.recipe
    torch.manual_seed(0)
    network = build(spec.network, recipe.image_size).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, recipe)
    images = torch.randn(recipe.batch, 3, recipe.image_size, recipe.image_size)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, spec.network.classes, (recipe.batch,))

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    return step


def _as_convolutions(step: Callable[[], None]) -> Callable[[], None]:
    """Return the step with every depthwise convolution computed by torch."""

    def before() -> None:
        with patch.object(DepthwiseConvolution, "forward", torch.nn.Conv2d.forward):
            step()

    return before


def _profiled(step: Callable[[], None], steps: int) -> dict[str, float]:
    """Return seconds per step by kind of operator."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # no message about missing GPUs
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(steps):
            step()
    by_kind: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages():
        name = event.key.lower()
        kind = next((k for k, words in KINDS.items() if any(w in name for w in words)), "the rest")
        by_kind[kind] += event.self_cpu_time_total / 1e6 / steps
    return by_kind
