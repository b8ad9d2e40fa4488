"""Peak memory of tensors while something runs, on a CPU or a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


def peak_bytes(work: Callable[[], object], resident: Iterable[Tensor], device: torch.device) -> int:
    """Return the peak of all tensors' bytes during `work`, of which `resident` are there before.

    What the program itself needs, and what other networks on the device hold, is not counted.
    """
    before = sum(
        tensor.nbytes for tensor in {tensor.data_ptr(): tensor for tensor in resident}.values()
    )
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        others = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        return before + torch.cuda.max_memory_allocated(device) - others
    return before + _peak_on_cpu(work)


def tensors_of(network: nn.Module, optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return weights, buffers, and the state of the optimizer."""
    state = [item for group in optimizer.state.values() for item in group.values()]
    return [
        *network.parameters(),
        *network.buffers(),
        *(item for item in state if isinstance(item, Tensor)),
    ]


def _peak_on_cpu(work: Callable[[], object]) -> int:
    """Return the peak of the bytes that torch allocates within `work`, by its profiler."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        work()
    events = profile.profiler.kineto_results.events()
    memory = sorted(
        (event for event in events if event.name() == "[memory]"),
        key=lambda event: event.start_ns(),
    )
    now = peak = 0
    for event in memory:
        now += event.nbytes()
        peak = max(peak, now)
    return peak
