"""Which images make up which batch, on which device: for training and for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy

from roadmap.errors import Problem

Key = tuple[int, int]  # epoch, index
NO_IMAGE = -1


@dataclass(frozen=True, kw_only=True)
class Share:
    """One process's part of every optimizer step: `rank` of `world`, in `accumulate` portions."""

    rank: int = 0
    world: int = 1
    accumulate: int = 1

    @property
    def micro_batches(self) -> int:
        """Into how many batches a step is cut, over all processes."""
        return self.world * self.accumulate


def check_batch(batch: int, size: int, share: Share) -> None:
    """Raise Problem where a step's batch has too few images, or cannot be shared out evenly."""
    if batch > size:
        raise Problem(f"recipe.batch {batch} is larger than the {size} training images")
    if share.micro_batches > 1 and batch % (2 * share.micro_batches):
        text = f"{share.world} devices × {share.accumulate} portions of an even size each"
        raise Problem(f"recipe.batch {batch} cannot be shared out among {text}")


class EpochSampler:
    """Batches of (epoch, index) in an order drawn from (seed, epoch); no smaller last one.

    `batch` is the whole optimizer step's. However it is shared out, each step sees the same images,
    and images that mixup pairs (the first with the last, and so on) stay in one portion.
    """

    def __init__(self, size: int, batch: int, seed: int, share: Share | None = None) -> None:
        share = share or Share()
        check_batch(batch, size, share)
        self.size, self.batch, self.seed, self.share = size, batch, seed, share
        self.epoch = self.done = 0

    def resume(self, epoch: int, done: int) -> None:
        """Start within an epoch, `done` batches of which are behind."""
        self.epoch, self.done = epoch, done

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next iteration is; called by Lightning, also at a start within one."""
        if epoch != self.epoch:
            self.resume(epoch, 0)

    @property
    def steps(self) -> int:
        """Optimizer steps in an epoch."""
        return self.size // self.batch

    def __len__(self) -> int:
        return self.steps * self.share.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, done = self.epoch, self.done
        order = self._order(epoch)
        for number in range(done, len(self)):
            yield [(epoch, index) for index in self._images(order, number)]

    def images(self, epoch: int, number: int) -> list[int]:
        """The images in one batch of an epoch, this process's part of them."""
        return self._images(self._order(epoch), number)

    def _order(self, epoch: int) -> numpy.ndarray:
        return numpy.random.default_rng((self.seed, epoch)).permutation(self.size)

    def _images(self, order: numpy.ndarray, number: int) -> list[int]:
        step, portion = divmod(number, self.share.accumulate)
        whole = order[step * self.batch : (step + 1) * self.batch]
        part = _part(whole, portion * self.share.world + self.share.rank, self.share)
        return part.tolist()


def _part(whole: numpy.ndarray, number: int, share: Share) -> numpy.ndarray:
    if share.micro_batches == 1:
        return whole
    half = len(whole) // share.micro_batches // 2
    start, end = number * half, (number + 1) * half
    return numpy.concatenate([whole[start:end], whole[len(whole) - end : len(whole) - start]])


class EvaluationSampler:
    """Batches of indices in which each image is once in one process.

    Every process has as many batches of the same size, as processes that wait for one another need;
    NO_IMAGE fills up.
    """

    def __init__(self, size: int, batch: int, share: Share) -> None:
        self.size, self.share = size, share
        self.batch = min(batch, self._each())

    def _each(self) -> int:
        return ceil(self.size / self.share.world)

    def __len__(self) -> int:
        return ceil(self._each() / self.batch)

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, self._each(), self.batch):
            places = range(start, min(start + self.batch, self._each()))
            indices = (place * self.share.world + self.share.rank for place in places)
            yield [index if index < self.size else NO_IMAGE for index in indices]
