"""What is measured, at what sizes: the whole on a GPU, or a dry run of everything on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.host.machine import Precision


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes of everything that is measured. `script` is timm's train.py, if it is given."""

    dry: bool
    images: int  # held on the device, for the input path
    batches: tuple[int, ...]  # of the input path
    roadmap: str  # whose rows are trained as networks alone
    rows: tuple[str, ...]
    profiled: tuple[str, ...]
    timm: tuple[str, ...]
    versus: tuple[str, str]  # a row, and the timm model that it is measured against
    size: int  # pixels a side
    batch: int
    steps: int  # of one timing
    trials: int
    runs: tuple[tuple[str, str, int, int], ...]  # of the runner: roadmap, row, images, pixels
    compiler: str  # torch.compile's backend
    script: Path | None = None

    @property
    def device(self) -> torch.device:
        """Where everything runs."""
        return torch.device("cpu" if self.dry else "cuda")

    @property
    def precision(self) -> Precision:
        """Machine.precision of every run."""
        return "32" if self.dry else "bf16"


FULL = Plan(
    dry=False,
    images=32768,  # more batches in an epoch than are made ahead
    batches=(256, 1024),
    roadmap="resnet50",
    rows=("00", "04", "05", "08", "13"),
    profiled=("08", "13"),
    timm=("resnet50", "convnext_tiny", "swin_tiny_patch4_window7_224"),
    versus=("13", "convnext_tiny"),
    size=224,
    batch=128,
    steps=8,
    trials=4,
    runs=(  # the most important first: time may run out
        ("resnet50", "13", 8192, 224),
        ("tiny", "13", 16384, 48),
        ("cifar", "13", 32768, 32),
        ("cifar", "08", 32768, 32),
        ("cifar", "01", 32768, 32),
    ),
    compiler="inductor",
)

DRY = Plan(
    dry=True,
    images=64,
    batches=(8, 16),
    roadmap="tiny",
    rows=("13",),
    profiled=("13",),
    timm=("test_convnext",),
    versus=("13", "test_convnext"),
    size=32,
    batch=4,
    steps=1,
    trials=2,
    runs=(("tiny", "13", 128, 32),),
    compiler="eager",  # traces the network without a compiler of kernels
)
