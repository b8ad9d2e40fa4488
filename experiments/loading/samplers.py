"""Which images make up which batch, on which device: for training and for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy

from roadmap.errors import Problem

Key = tuple[int, int]  # epoch, index
NO_IMAGE = -1
MOST_EPOCHS = 2**20  # more than a recipe can have


@dataclass(frozen=True, kw_only=True)
class Share:
    """One process's part of each step: `rank` of `world`, in `accumulate` micro-batches."""

    rank: int = 0
    world: int = 1
    accumulate: int = 1

    @property
    def micro_batches(self) -> int:
        """Return the number of micro-batches of a step, over all processes."""
        return self.world * self.accumulate


def check_batch(batch: int, size: int, share: Share, groups: int = 2) -> None:
    """Raise Problem if a batch is larger than the data or cannot be shared out evenly.

    Each micro-batch must hold whole `groups` of images that are mixed together.
    """
    if batch > size:
        raise Problem(
            f"recipe.batch {batch} is larger than the {size} training images; "
            f"give a smaller one, as in --set recipe.batch={max(size // 4 * 2, 2)}"
        )
    if share.micro_batches > 1 and batch % (groups * share.micro_batches):
        each = "an even size" if groups == 2 else f"a multiple of {groups} images (mixup_per)"
        text = f"{share.world} devices × {share.accumulate} micro-batches of {each} each"
        raise Problem(f"recipe.batch {batch} cannot be shared out among {text}")


class EpochSampler:
    """Batches of (epoch, index) in an order drawn from (seed, epoch); all have the same size.

    `batch` is the batch of the whole optimizer step. Each step sees the same images however it is
    shared out. Images that mixup pairs (the first with the last, and so on) stay in
    one micro-batch. With `labels`, one per image, each class comes equally often. With `repeats` an
    epoch has each of its images so often, in one batch where it fits. An image that comes again in
    an epoch has a key as of another epoch, so that it is augmented differently.
    """

    def __init__(
        self,
        size: int,
        batch: int,
        seed: int,
        share: Share | None = None,
        labels: numpy.ndarray | None = None,
        repeats: int = 1,
    ) -> None:
        share = share or Share()
        self.repeats = repeats
        check_batch(batch, size, share)
        self.labels = labels
        self.size, self.batch, self.seed, self.share = size, batch, seed, share
        self.epoch = self.done = 0

    def resume(self, epoch: int, done: int) -> None:
        """Start within an epoch, after `done` of its batches."""
        self.epoch, self.done = epoch, done

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration; Lightning calls it, also when it resumes one."""
        if epoch != self.epoch:
            self.resume(epoch, 0)

    @property
    def steps(self) -> int:
        """Return the number of optimizer steps in an epoch."""
        return self.size // self.batch

    def __len__(self) -> int:
        return self.steps * self.share.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, done = self.epoch, self.done
        order = self._order(epoch)
        for number in range(done, len(self)):
            places = self._places(number)
            images = order[places // self.repeats]
            again = images[:, 1] * self.repeats + places % self.repeats
            epochs = (epoch + again * MOST_EPOCHS).tolist()
            yield list(zip(epochs, images[:, 0].tolist(), strict=True))

    def images(self, epoch: int, number: int) -> list[int]:
        """Return this process's images in one batch of an epoch."""
        return self._order(epoch)[self._places(number) // self.repeats, 0].tolist()

    def _order(self, epoch: int) -> numpy.ndarray:
        """Return the images of an epoch, (images, 2): index, and how often it was there before."""
        draw = numpy.random.default_rng((self.seed, epoch))
        if self.labels is not None:
            return balanced_order(self.labels, draw)
        order = draw.permutation(self.size)
        return numpy.stack([order, numpy.zeros_like(order)], axis=1)

    def _places(self, number: int) -> numpy.ndarray:
        """Return the places of one micro-batch in an epoch, (images,); a repeat is a place too."""
        step, micro_batch = divmod(number, self.share.accumulate)
        whole = numpy.arange(step * self.batch, (step + 1) * self.batch)
        return _part(whole, micro_batch * self.share.world + self.share.rank, self.share)


def balanced_order(labels: numpy.ndarray, draw: numpy.random.Generator) -> numpy.ndarray:
    """Return as many images as there are, equally many of each class: (images, 2).

    The images of a class come in random order, all of them before one comes again.
    """
    known = numpy.unique(labels)
    counts = numpy.full(len(known), len(labels) // len(known))
    counts[draw.permutation(len(known))[: len(labels) % len(known)]] += 1
    parts = []
    for label, count in zip(known, counts, strict=True):
        own = numpy.flatnonzero(labels == label)
        rounds = -(-count // len(own))
        chosen = numpy.concatenate([draw.permutation(own) for _ in range(rounds)])
        again = numpy.repeat(numpy.arange(rounds), len(own))
        parts.append(numpy.stack([chosen, again], axis=1)[:count])
    return numpy.concatenate(parts)[draw.permutation(len(labels))]


def _part(whole: numpy.ndarray, number: int, share: Share) -> numpy.ndarray:
    if share.micro_batches == 1:
        return whole
    half = len(whole) // share.micro_batches // 2
    start, end = number * half, (number + 1) * half
    return numpy.concatenate([whole[start:end], whole[len(whole) - end : len(whole) - start]])


class EvaluationSampler:
    """Batches of indices: each image once, in one of the processes.

    Processes wait for each other, so all have the same number of batches of the same sizes.
    NO_IMAGE fills the gaps.
    """

    def __init__(self, size: int, batch: int, share: Share) -> None:
        self.size, self.share = size, share
        self.batch = min(batch, self._own())

    def _own(self) -> int:
        return ceil(self.size / self.share.world)

    def __len__(self) -> int:
        return ceil(self._own() / self.batch)

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, self._own(), self.batch):
            places = range(start, min(start + self.batch, self._own()))
            indices = (place * self.share.world + self.share.rank for place in places)
            yield [index if index < self.size else NO_IMAGE for index in indices]
