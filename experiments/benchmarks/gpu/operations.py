"""Count the torch operations of a program, and how many of them wait for a device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# On a GPU each of these waits for it: a value, or a number of values, is needed to continue.
WAITS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::item", "aten::masked_select")
INDEXING = ("aten::index", "aten::index_put_", "aten::index_put")
COPIES = ("aten::copy_", "aten::_to_copy")


class Counted(TorchDispatchMode):
    """Counts the operations dispatched within, by name; `waits` are those that synchronize.

    On a CPU everything lies on one device. An operation then counts as a wait unless all its
    tensors are in `on_host`: those that would stay on the host next to a GPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.on_host: set[int] = set()
        self.counting = True

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple = (), named: dict | None = None
    ) -> Any:
        """Count, then do it."""
        result = function(*arguments, **(named or {}))
        if self.counting:
            name = function.name().partition(".")[0]
            self.operations[name] += 1
            tensors = [leaf for leaf in tree_leaves((arguments, named)) if isinstance(leaf, Tensor)]
            if self._waits(name, tensors, result):
                self.waits[name] += 1
        return result

    def _waits(self, name: str, tensors: list[Tensor], result: Any) -> bool:
        on_gpu = [tensor.is_cuda for tensor in tensors]
        if name in COPIES:  # from the device to the host
            source = tensors[-1] if name == "aten::copy_" else tensors[0]
            target = tensors[0] if name == "aten::copy_" else result
            return source.is_cuda and not target.is_cuda
        masked = name in INDEXING and any(tensor.dtype == torch.bool for tensor in tensors[1:])
        if name not in WAITS and not masked:
            return False
        if torch.cuda.is_available():
            return any(on_gpu)
        return not all(tensor.data_ptr() in self.on_host for tensor in tensors)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count within."""
        before, self.counting = self.counting, False
        try:
            yield
        finally:
            self.counting = before
