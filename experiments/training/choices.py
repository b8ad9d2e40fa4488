"""What "auto" means for precision and compilation, chosen for the device and the run's length."""

from __future__ import annotations

from dataclasses import replace

import torch

from experiments.host.machine import Machine
from experiments.request import Request
from roadmap.cost import cost
from roadmap.spec import Network

# Measured on an H100 with bf16: MACs a second of a large network's training, and the shortest step.
MACS_PER_SECOND, SHORTEST_STEP = 30e12, 0.015
PASSES = 3  # forward, and backward twice as much
# Compiling takes 1 to 2 minutes and makes steps up to 1.6 times as fast: this long a run gains.
WORTH_COMPILING = 300.0


def chosen(machine: Machine, request: Request) -> Machine:
    """Return the machine with "auto" replaced.

    Precision is bf16 on GPUs that have it, else 32 bits. A network is compiled if the run is on a
    GPU and long enough to pay for it.
    """
    on_gpu = torch.cuda.is_available()
    precision, compiled = machine.precision, machine.compile
    if precision == "auto":
        has = on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if has else "32"
    if compiled == "auto":
        compiled = on_gpu and seconds_on_gpu(request) / machine.world > WORTH_COMPILING
    return replace(machine, precision=precision, compile=compiled)


def seconds_on_gpu(request: Request) -> float:
    """Estimate the seconds of a run's training on one fast GPU, not compiled.

    0 for a network of timm's, whose cost only torch can count.
    """
    spec = request.spec
    if not isinstance(spec.network, Network):
        return 0.0
    recipe = spec.recipe
    steps = recipe.epochs * (request.settings.source.images // recipe.batch)
    macs = PASSES * cost(spec.network, recipe.image_size).macs * recipe.batch
    return steps * max(SHORTEST_STEP, macs / MACS_PER_SECOND)
