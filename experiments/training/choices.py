"""What "auto" means for precision and compilation, chosen for the device and the run's length."""

from __future__ import annotations

from dataclasses import replace

import torch

from experiments.host.machine import Machine, Precision
from experiments.request import Request
from experiments.training.estimates import estimate

# Compiling takes 1 to 2 minutes and makes steps up to 1.6 times as fast: this long a run gains.
WORTH_COMPILING = 300.0  # seconds


def chosen(machine: Machine, request: Request) -> Machine:
    """Return the machine with "auto" replaced.

    Precision is bf16 on GPUs that have it, else 32 bits. A network is compiled if the run is on a
    GPU and long enough to pay for it.
    """
    on_gpu = torch.cuda.is_available()
    precision, compiled = precision_here(machine.precision), machine.compile
    if compiled == "auto":
        length = estimate(request)
        seconds = length.seconds / machine.world if length else 0.0
        compiled = on_gpu and seconds > WORTH_COMPILING
    return replace(machine, precision=precision, compile=compiled)


def precision_here(asked: Precision) -> Precision:
    """Return the precision with "auto" replaced: bf16 on GPUs that have it, else 32 bits."""
    if asked != "auto":
        return asked
    has = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has else "32"
