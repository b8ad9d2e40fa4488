"""Arrays on their way from a loading process to the device, as one piece of memory.

One piece is one shared memory segment, one copy to pinned memory and one copy to the device,
whatever the number of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy
import torch
from torch import Tensor

ALIGNMENT = 16  # bytes; views of any type start at a multiple of their size

Counts = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """Tensors by name, and counts by name: whole numbers that stay in the host's memory.

    The counts become shapes on the device, where reading a number back would wait for the device.
    """

    tensors: Mapping[str, Tensor]
    counts: Counts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Packet:
    """Arrays in one piece of memory: uint8, a tensor or, without shared memory, NumPy's array."""

    memory: Tensor | numpy.ndarray
    layout: tuple[tuple[str, torch.dtype, tuple[int, ...], int], ...]
    counts: Counts

    @classmethod
    def pack(cls, arrays: Arrays) -> Packet:
        """Copy the arrays into one piece of memory."""
        layout, end = [], 0
        for name, tensor in arrays.tensors.items():
            layout.append((name, tensor.dtype, tuple(tensor.shape), end))
            end += -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
        packet = cls(
            memory=torch.empty(end, dtype=torch.uint8), layout=tuple(layout), counts=arrays.counts
        )
        for name, view in packet.unpack().tensors.items():
            view.copy_(arrays.tensors[name])
        return packet

    def unpack(self) -> Arrays:
        """Return the arrays as views of the memory."""
        memory = _tensor(self.memory)
        typed = {dtype: memory.view(dtype) for dtype in {dtype for _, dtype, _, _ in self.layout}}
        tensors = {}
        for name, dtype, shape, start in self.layout:
            strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
            tensors[name] = typed[dtype].as_strided(shape, strides, start // dtype.itemsize)
        return Arrays(tensors=tensors, counts=self.counts)

    def to_hand_over(self) -> Packet:
        """Move the memory where another process can read it.

        Where shared memory is too small (Docker grants 64 MB unless told otherwise), the bytes go
        through a pipe, which is slower. An error after this point would leave the receiver waiting:
        Python sends from a thread of its own that only prints its errors.
        """
        memory = _tensor(self.memory)
        try:
            return replace(self, memory=memory.share_memory_())
        except RuntimeError:
            return replace(self, memory=memory.numpy())

    def pin_memory(self) -> Packet:
        """Return a copy in page-locked memory; called by torch's DataLoader."""
        return replace(self, memory=_tensor(self.memory).pin_memory())

    def to(self, device: torch.device) -> Packet:
        """Return a copy on the device, without waiting for it."""
        return replace(self, memory=_tensor(self.memory).to(device, non_blocking=True))


def _tensor(memory: Tensor | numpy.ndarray) -> Tensor:
    return memory if isinstance(memory, Tensor) else torch.from_numpy(memory)
