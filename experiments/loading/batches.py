"""torch's DataLoader for views: what loading processes hand over, and what a GPU makes of it."""

from __future__ import annotations

import atexit
import os
import re
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from multiprocessing.util import Finalize
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from experiments.host.signals import ignore_stop_signals
from experiments.loading.packet import Arrays, Packet
from experiments.loading.views import Batch, Views
from roadmap.errors import Problem

Item = TypeVar("Item")


class Loader(DataLoader):
    """Batches of views on `device`, in the order of `sampler`.

    On a CPU the loading processes do everything. On a GPU they do their half, and the GPU does the
    other half of the next batch while the network trains on this one.
    """

    def __init__(
        self, views: Views, sampler: Iterable[Sequence[Any]], workers: int, device: torch.device
    ) -> None:
        self.views, self.device = views, device
        on_gpu = device.type == "cuda"
        forked = workers and sys.platform == "linux"
        super().__init__(
            Halves(views, whole=not on_gpu and not views.finished_late),
            sampler=sampler,
            batch_size=None,  # the sampler's own
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=on_gpu,
            collate_fn=partial(hand_over, pack=on_gpu),
            generator=torch.Generator(),
            # A spawned job would spawn its loading processes too: seconds of imports, and a copy of
            # the images.
            multiprocessing_context="fork" if forked else None,
            # A signal to the whole group is for the run, which saves first.
            worker_init_fn=partial(ignore_stop_signals, os.getpid()),
        )
        # A program ends with `atexit`, a process of multiprocessing with its finalizers.
        atexit.register(_end_loading, weakref.ref(self))
        Finalize(self, _end_loading, args=(weakref.ref(self),), exitpriority=10)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        if self.device.type == "cuda":
            return ahead(self._handed_over(), self.views.finish, self.stream)
        return map(self._finished, self._handed_over())

    @cached_property
    def stream(self) -> torch.cuda.Stream:
        """The stream for the GPU's half: one for all epochs, as each keeps memory of its own."""
        return torch.cuda.Stream(self.device)

    def _finished(self, handed_over: Arrays | Packet) -> Batch:
        """Return the batch on a CPU."""
        arrays = handed_over.unpack() if isinstance(handed_over, Packet) else handed_over
        if self.views.finished_late:
            return self.views.finish(arrays)
        return arrays.tensors["images"].permute(0, 3, 1, 2), arrays.tensors["labels"]

    def _handed_over(self) -> Iterator[Any]:
        """Yield what arrives; raise Problem if a loading process was killed."""
        try:
            yield from super().__iter__()
        except Exception as error:
            _end_loading(weakref.ref(self))  # or torch raises once more, at any later point
            reason = _why_it_ended(error)
            if reason is None:
                raise
            raise Problem(
                f"a loading process ended ({reason}): memory may be short; use fewer loading "
                "processes (--workers 0: none)"
            ) from error


def _why_it_ended(error: Exception) -> str | None:
    """Return how a loading process ended, or None if the error was raised by its own work.

    torch names a process that is gone when nothing arrives. If it ends while it hands over a batch,
    its socket breaks first. An error of its own work arrives as text that names the process.
    """
    text = str(error).strip()
    if isinstance(error, RuntimeError):
        gone = re.match(r"DataLoader worker \(pid", text)
        return text.splitlines()[0].rstrip(". ") if gone else None
    broken = isinstance(error, ConnectionError | FileNotFoundError | EOFError)
    own = "in DataLoader worker process" in text
    return "it exited during a transfer" if broken and not own else None


def _end_loading(reference: weakref.ref[Loader]) -> None:
    """End a loader's processes; Python would send them SIGTERM, which they ignore, and wait."""
    loader = reference()
    iterator = None if loader is None else loader._iterator
    if isinstance(iterator, _MultiProcessingDataLoaderIter):
        iterator._shutdown_workers()
        for process in iterator._workers:
            process.kill()  # if it has not ended within seconds: it may hang in a slow read


class Halves(Dataset[Arrays]):
    """What a loading process does of each batch: its half, or the whole."""

    def __init__(self, views: Views, *, whole: bool) -> None:
        self.views, self.whole = views, whole

    def __getitem__(self, keys: Sequence[Any]) -> Arrays:
        if not self.whole:
            return self.views.pick(keys)
        images, labels = self.views[keys]
        return Arrays(tensors={"images": images.permute(0, 2, 3, 1), "labels": labels})


def hand_over(arrays: Arrays, *, pack: bool) -> Arrays | Packet:
    """Pack a batch for another process, or with `pack`, since a GPU takes a packet in one copy."""
    working = get_worker_info() is not None
    return Packet.pack(arrays, share=working) if working or pack else arrays


def ahead(
    packets: Iterable[Packet], finish: Callable[[Arrays], Batch], stream: torch.cuda.Stream
) -> Iterator[Batch]:
    """Finish each batch on a stream of its own while the one before it is in use."""
    device = stream.device
    stream.wait_stream(torch.cuda.current_stream(device))  # held images may still be on their way

    def prepare(packet: Packet) -> tuple[Batch, torch.cuda.Event]:
        with torch.cuda.stream(stream):
            batch = finish(packet.to(device).unpack())
        return batch, stream.record_event()

    for batch, ready in one_ahead(map(prepare, packets)):
        current = torch.cuda.current_stream(device)
        current.wait_event(ready)
        for tensor in batch:
            tensor.record_stream(current)  # keep its memory until this stream is done with it
        yield batch


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield each item only once the next one is there."""
    remaining = iter(items)
    for item in remaining:
        for following in remaining:
            yield item
            item = following
        yield item
