"""Whether every image of a data set can be opened, and what is wrong with those that cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from experiments.data.splits import BrokenImage, DataSet, Split

Progress = Callable[[int, int], None]


def broken_images(data: DataSet, progress: Progress) -> Iterator[str]:
    """One line for each image that cannot be opened; all of them are tried."""
    total = len(data.train) + len(data.val)
    done = 0
    for split in (data.train, data.val):
        for index in range(len(split)):
            if (fault := fault_of(split, index)) is not None:
                yield fault
            done += 1
            progress(done, total)


def fault_of(split: Split, index: int) -> str | None:
    """What is wrong with an image; None if nothing is."""
    try:
        split.image(index)
    except BrokenImage as error:
        return str(error)
    return None


def without_broken(data: DataSet, progress: Progress) -> tuple[DataSet, tuple[str, ...]]:
    """The data set without its broken training images, and what is wrong with them.

    Validation images are never left out: a broken one stops the run.
    """
    faults: dict[int, str] = {}
    for index in range(len(data.train)):
        if (fault := fault_of(data.train, index)) is not None:
            faults[index] = fault
        progress(index + 1, len(data.train))
    kept = [index for index in range(len(data.train)) if index not in faults]
    return replace(data, train=data.train.only(kept), skipped=len(faults)), tuple(faults.values())
