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
    """Tensors by name; and what stays in the host's memory: whole numbers by name, and files.

    The counts become shapes on the device, where reading a number back would wait for the device.
    """

    tensors: Mapping[str, Tensor]
    counts: Counts = field(default_factory=dict)
    files: tuple[numpy.ndarray, ...] = ()  # uint8


@dataclass(frozen=True, kw_only=True)
class Packet:
    """Arrays in one piece of memory: uint8, a tensor or, without shared memory, NumPy's array."""

    memory: Tensor | numpy.ndarray
    layout: tuple[tuple[str, torch.dtype, tuple[int, ...], int], ...]
    counts: Counts
    files: tuple[numpy.ndarray, ...] = ()

    @classmethod
    def pack(cls, arrays: Arrays, *, share: bool = False) -> Packet:
        """Copy the arrays into one piece of memory, which another process can read with `share`.

        Where shared memory is too small (Docker grants 64 MB unless told otherwise), the bytes go
        to the other process through a pipe, which is slower. Ask for shared memory here and not
        later: the thread that sends would only print the error, and the receiver wait for ever.
        """
        layout, end = [], 0
        for name, tensor in arrays.tensors.items():
            layout.append((name, tensor.dtype, tuple(tensor.shape), end))
            end += -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
        memory = _shared(end) if share else torch.empty(end, dtype=torch.uint8)
        packet = cls(memory=memory, layout=tuple(layout), counts=arrays.counts, files=arrays.files)
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
        return Arrays(tensors=tensors, counts=self.counts, files=self.files)

    def pin_memory(self) -> Packet:
        """Return a copy in page-locked memory; called by torch's DataLoader."""
        return replace(self, memory=_tensor(self.memory).pin_memory())

    def to(self, device: torch.device) -> Packet:
        """Return a copy on the device, without waiting for it."""
        return replace(self, memory=_tensor(self.memory).to(device, non_blocking=True))


def _shared(size: int) -> Tensor | numpy.ndarray:
    try:
        storage = torch.UntypedStorage._new_shared(size)
    except RuntimeError:  # no space left
        return numpy.empty(size, dtype=numpy.uint8)
    return torch.empty(0, dtype=torch.uint8).set_(storage)


def _tensor(memory: Tensor | numpy.ndarray) -> Tensor:
    return memory if isinstance(memory, Tensor) else torch.from_numpy(memory)
