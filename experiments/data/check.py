"""Find the images of a data set that cannot be opened, or whose annotations cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from experiments.data.images import BrokenImage
from experiments.data.source import Progress
from experiments.data.splits import DataSet, Split
from roadmap.errors import Problem, escaped


def broken_images(data: DataSet, progress: Progress) -> Iterator[str]:
    """Try every image; yield one line for each that cannot be opened."""
    total = len(data.train) + len(data.val)
    done = 0
    for split in (data.train, data.val):
        for index in range(len(split)):
            if (fault := fault_of(split, index)) is not None:
                yield fault
            done += 1
            progress(done, total)


def fault_of(split: Split, index: int) -> str | None:
    """Return what is wrong with an image or its annotations; None if nothing is."""
    try:
        split.image(index)
        for annotations in (split.objects, split.label_map):
            if annotations is not None:
                annotations(index)
    except BrokenImage as error:
        return str(error)
    return None


def without_broken(data: DataSet, progress: Progress) -> tuple[DataSet, tuple[str, ...]]:
    """Leave out the training images that cannot be opened; return the errors as well.

    Validation images are never left out: a broken one stops the run. Raises Problem if no training
    image can be opened.
    """
    faults: dict[int, str] = {}
    for index in range(len(data.train)):
        if (fault := fault_of(data.train, index)) is not None:
            faults[index] = fault
        progress(index + 1, len(data.train))
    kept = [index for index in range(len(data.train)) if index not in faults]
    if not kept:
        raise Problem(
            f"--broken skip: none of the {len(faults):,} training images of data "
            f"{escaped(data.source.name)} can be opened; the first: {next(iter(faults.values()))}"
        )
    return replace(data, train=data.train.only(kept), skipped=len(faults)), tuple(faults.values())
