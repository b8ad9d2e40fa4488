"""Go through all images of a data set once: what cannot be opened, sizes, modes, duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy
from PIL import Image

from experiments.data.duplicates import Print, matches, print_of
from experiments.data.images import ORIENTATION, BrokenImage, open_image
from experiments.data.source import Progress
from experiments.data.splits import DataSet, Split

MOST_COMPARED = 300_000  # images whose prints are kept
TWELVE_BITS = 4095


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was found; names of images are those of their files, or their indices.

    `widths` and `heights` are (smallest, median, largest) in pixels. `modes` counts Pillow's modes
    of image files, `turned` the files whose EXIF orientation is not upright, `dark` those of 16
    bits that use at most 12. `exact` and `near` are pairs of a training and a validation image.
    `classes` has the number of images of each class by split; it is empty without such labels.
    """

    faults: tuple[str, ...]
    widths: tuple[int, float, int]
    heights: tuple[int, float, int]
    modes: Counter[str]
    turned: int
    dark: int
    classes: dict[str, tuple[int, ...]]
    exact: tuple[tuple[str, str], ...]
    near: tuple[tuple[str, str], ...]
    compared: bool


@dataclass
class _Seen:
    """What is collected while images are opened."""

    faults: list[str]
    sizes: list[tuple[int, int]]
    modes: Counter[str]
    turned: int = 0
    dark: int = 0


Note = Callable[[str, Split, int], None]  # name of the split, split, index


def survey(data: DataSet, progress: Progress, note: Note | None = None) -> Survey:
    """Open every image of both splits; with `note` also their annotations, which it looks at.

    `note` may raise BrokenImage.
    """
    splits = {"train": data.train, "val": data.val}
    total = sum(map(len, splits.values()))
    compared = total <= MOST_COMPARED
    seen = _Seen([], [], Counter())
    prints: dict[str, list[Print | None]] = {name: [] for name in splits}
    done = 0
    for name, split in splits.items():
        for index in range(len(split)):
            image = _opened(split, index, seen)
            if note is not None:
                _look_at(note, name, split, index, seen)
            if compared:
                prints[name].append(None if image is None else print_of(image))
            done += 1
            progress(done, total)
    exact, near = matches(prints["train"], prints["val"]) if compared else ([], [])
    widths, heights = zip(*seen.sizes, strict=True) if seen.sizes else ((0,), (0,))
    return Survey(
        faults=tuple(seen.faults),
        widths=_range(widths),
        heights=_range(heights),
        modes=seen.modes,
        turned=seen.turned,
        dark=seen.dark,
        classes={
            name: tuple(numpy.bincount(split.labels, minlength=data.source.classes).tolist())
            for name, split in splits.items()
            if note is None
        },
        exact=_named(exact, data),
        near=_named(near, data),
        compared=compared,
    )


def _opened(split: Split, index: int, seen: _Seen) -> Image.Image | None:
    """Return an image as training sees it, and note what its file holds; None if it is broken."""
    try:
        image = split.image(index)
        seen.sizes.append(image.size)
        if split.files is not None:
            _note_file(open_image(split.files[index].open()), seen)
    except BrokenImage as fault:
        seen.faults.append(str(fault))
        return None
    return image


def _look_at(note: Note, name: str, split: Split, index: int, seen: _Seen) -> None:
    try:
        note(name, split, index)
    except BrokenImage as fault:
        if str(fault) not in seen.faults[-1:]:  # a broken image was named already
            seen.faults.append(str(fault))


def _note_file(raw: Image.Image, seen: _Seen) -> None:
    seen.modes[raw.mode] += 1
    if raw.getexif().get(ORIENTATION, 1) != 1:
        seen.turned += 1
    if raw.mode.startswith("I") and 255 < int(numpy.asarray(raw).max()) <= TWELVE_BITS:
        seen.dark += 1


def _range(numbers: Sequence[int]) -> tuple[int, float, int]:
    return min(numbers), median(numbers), max(numbers)


def _named(pairs: Sequence[tuple[int, int]], data: DataSet) -> tuple[tuple[str, str], ...]:
    return tuple((_name(data.train, one), _name(data.val, other)) for one, other in pairs)


def _name(split: Split, index: int) -> str:
    return str(index) if split.files is None else str(split.files[index])
