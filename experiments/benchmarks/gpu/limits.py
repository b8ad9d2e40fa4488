"""The limits of a device: what share of them a network uses."""

from __future__ import annotations

import torch

from experiments.benchmarks.measure import seconds_each


def matrix_rate(device: torch.device, size: int) -> float:
    """Return multiply-accumulates per second of a square bf16 product: the best of three."""
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    return size**3 / min(seconds_each(lambda: one @ one, 10, device) for _ in range(3))


def copy_rate(device: torch.device, size: int) -> float:
    """Return bytes per second, read and written, of a copy of `size` bytes: the best of three."""
    one = torch.zeros(size, dtype=torch.uint8, device=device)
    other = torch.ones_like(one)
    return 2 * size / min(seconds_each(lambda: one.copy_(other), 10, device) for _ in range(3))
