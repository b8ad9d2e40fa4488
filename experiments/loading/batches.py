"""torch's DataLoader for views: what loading processes hand over, and what a GPU makes of it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from experiments.host.signals import ignore_stop_signals
from experiments.loading.packet import Arrays, Packet
from experiments.loading.views import Batch, Views
from roadmap.errors import Problem


class Loader(DataLoader):
    """Batches of views on `device`, in the order of `sampler`.

    On a CPU the loading processes do everything. On a GPU they do their half, and the GPU does the
    other half of the next batch while the network trains on this one.
    """

    def __init__(self, views: Views, sampler: Sampler, workers: int, device: torch.device) -> None:
        self.views, self.device = views, device
        on_gpu = device.type == "cuda"
        forked = workers and sys.platform == "linux"
        super().__init__(
            Halves(views, whole=not on_gpu),
            sampler=sampler,
            batch_size=None,  # the sampler's own
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=on_gpu,
            collate_fn=partial(_hand_over, always=on_gpu),
            generator=torch.Generator(),
            # A spawned job would spawn its loading processes too: seconds of imports, and a copy of
            # the images.
            multiprocessing_context="fork" if forked else None,
            # A signal to the whole group is for the run, which saves first.
            worker_init_fn=partial(ignore_stop_signals, os.getpid()),
        )

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        if self.device.type == "cuda":
            return ahead(self._handed_over(), self.views.finish, self.device)
        return map(_whole, self._handed_over())

    def _handed_over(self) -> Iterator[Any]:
        """Yield what arrives; raise Problem if a loading process was killed."""
        try:
            yield from super().__iter__()
        except RuntimeError as error:
            if not re.match(r"DataLoader worker \(pid", str(error)):
                raise
            reason = str(error).strip().splitlines()[0].rstrip(". ")
            raise Problem(
                f"a loading process ended ({reason}): memory may be short; use fewer loading "
                "processes (--workers 0: none)"
            ) from error


class Halves(Dataset[Arrays]):
    """What a loading process does of each batch: its half, or the whole."""

    def __init__(self, views: Views, *, whole: bool) -> None:
        self.views, self.whole = views, whole

    def __getitem__(self, keys: Sequence[Any]) -> Arrays:
        arrays = self.views.pick(keys)
        if not self.whole:
            return arrays
        images, labels = self.views.finish(arrays)
        return Arrays(tensors={"images": images.permute(0, 2, 3, 1), "labels": labels})


def _whole(handed_over: Arrays | Packet) -> Batch:
    arrays = handed_over.unpack() if isinstance(handed_over, Packet) else handed_over
    return arrays.tensors["images"].permute(0, 3, 1, 2), arrays.tensors["labels"]


def _hand_over(arrays: Arrays, *, always: bool) -> Arrays | Packet:
    """Pack a batch for another process, or `always`: a GPU takes it in one copy."""
    if get_worker_info() is not None:
        return Packet.pack(arrays).to_hand_over()
    return Packet.pack(arrays) if always else arrays


def ahead(
    packets: Iterator[Packet], finish: Callable[[Arrays], Batch], device: torch.device
) -> Iterator[Batch]:
    """Finish each batch on a stream of its own while the one before it is in use."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))  # held images may still be on their way
    prepared: Batch | None = None
    ready = None
    for packet in packets:
        with torch.cuda.stream(stream):
            following = finish(packet.to(device).unpack())
        following_ready = stream.record_event()
        if prepared is not None:
            yield _received(prepared, ready, device)
        prepared, ready = following, following_ready
    if prepared is not None:
        yield _received(prepared, ready, device)


def _received(batch: Batch, ready: torch.cuda.Event, device: torch.device) -> Batch:
    """Let the stream in use wait for a batch, and keep its memory until that stream is done."""
    current = torch.cuda.current_stream(device)
    current.wait_event(ready)
    for tensor in batch:
        tensor.record_stream(current)
    return batch
