"""What "auto" means for precision and compilation, chosen for the device and the run's length."""

from __future__ import annotations

from dataclasses import replace

import torch

from experiments.host.machine import Machine, Precision
from experiments.request import Request
from experiments.tasks.measured_cost import measured_cost
from experiments.training.estimates import Estimate, estimate, estimate_by
from roadmap.network import build

# Compiling takes 1 to 2 minutes and makes steps up to 1.6 times as fast: this long a run gains.
WORTH_COMPILING = 300.0  # seconds


GRAPHS = "reduce-overhead"  # torch.compile's mode that replays a step as CUDA graphs


def compile_mode(machine: Machine, request: Request) -> str | None:
    """Return torch.compile's mode for a compiled run; None is its default.

    A small network's step on a GPU is launches, not arithmetic: CUDA graphs replay them at once.
    They are left out for runs in several processes and for micro-batches, whose gradients must
    outlive the replay of a step.
    """
    if machine.compile is not True or machine.world > 1 or machine.accumulate > 1:
        return None
    length = estimate(request) if torch.cuda.is_available() else None
    return GRAPHS if length is not None and length.is_small else None


def chosen(machine: Machine, request: Request) -> Machine:
    """Return the machine with "auto" replaced.

    Precision is bf16 on GPUs that have it, else 32 bits. A network is compiled if the run is on a
    GPU and long enough to pay for it.
    """
    on_gpu = torch.cuda.is_available()
    precision, compiled = precision_here(machine.precision), machine.compile
    if request.spec.recipe.task is not None:  # its networks see images of any size
        compiled = False
    if compiled == "auto":
        compiled = on_gpu and _length(request).seconds / machine.world > WORTH_COMPILING
    return replace(machine, precision=precision, compile=compiled)


def _length(request: Request) -> Estimate:
    """Return the estimate; a network of timm's is built and run on one image for it."""
    known = estimate(request)
    if known is not None:
        return known
    size = request.spec.recipe.image_size
    return estimate_by(request, **measured_cost(build(request.spec.network, size), size))


def precision_here(asked: Precision) -> Precision:
    """Return the precision with "auto" replaced: bf16 on GPUs that have it, else 32 bits."""
    if asked != "auto":
        return asked
    has = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has else "32"
