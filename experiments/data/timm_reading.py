"""Read timm's data sets: the parts of `timm_data` that need torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from timm.data import create_dataset
from torch.utils.data import Dataset, IterableDataset

from experiments.data.images import in_colour, named, open_image, restrict_pillow
from experiments.data.shards import SPLITS
from experiments.data.source import Progress
from experiments.data.splits import Split, held_split
from roadmap.errors import Problem, escaped


def open_splits(name: str, root: Path) -> dict[str, Dataset]:
    """Open the training and the validation split."""
    restrict_pillow()
    return {split: _open(name, root, names) for split, names in SPLITS.items()}


def _open(name: str, root: Path, names: Sequence[str]) -> Dataset:
    """Open the split that has one of these names."""
    faults = []
    for split in names:
        make = partial(create_dataset, name, root=str(root), split=split, is_training=False)
        try:
            try:
                return make(download=True)
            except TypeError:  # a kind that takes no such argument
                return make()
        except ImportError as error:
            raise Problem(f"data set {name} needs a package: pip install {error.name}") from None
        except (Exception, SystemExit) as error:
            faults.append(escaped(" ".join(str(error).split())[:300]) or type(error).__name__)
    raise Problem(
        f"data set {name} ({names[0]}) is not in {root} and could not be fetched or read: "
        f"{faults[0]}; put it there yourself (--data-root DIR), or give a folder or a .tar"
    )


def read_labels(opened: Any, name: str) -> numpy.ndarray | None:
    """Return all labels; None if timm reads the images in order only."""
    if isinstance(opened, IterableDataset):
        return None
    for attribute in ("targets", "labels"):
        if hasattr(opened, attribute):
            return whole_labels(getattr(opened, attribute), name)
    if hasattr(opened, "reader") and hasattr(opened.reader, "iter_targets"):
        return whole_labels(list(opened.reader.iter_targets()), name)
    return whole_labels([opened[index][1] for index in range(len(opened))], name)


def whole_labels(given: Any, name: str) -> numpy.ndarray:
    """Return labels as whole numbers, one per image; raises Problem if they are something else."""
    try:
        labels = torch.as_tensor(given).numpy()
    except (TypeError, ValueError, RuntimeError):
        labels = numpy.empty(0, dtype=object)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
        raise Problem(f"data set {name} has no labels that are one whole number an image")
    return labels


def sample_pixels(opened: Any) -> list[bytes]:
    """Return the pixels of 16 images from all over the set; none if timm reads in order only."""
    if isinstance(opened, IterableDataset):
        return []
    pixels = []
    for index in range(0, len(opened), max(1, len(opened) // 16)):
        try:
            pixels.append(numpy.asarray(_image(opened, index).convert("RGB")).tobytes())
        except Exception:  # reported when the image is needed
            pixels.append(b"")
    return pixels


def read_in_order(opened: Any, name: str, progress: Progress) -> Split:
    """Read all images and labels of a split that is an iterable."""
    restrict_pillow()
    images, labels = [], []
    for image, label in opened:
        images.append(numpy.asarray(image.convert("RGB")))
        labels.append(label)
        progress(len(images), max(len(opened), len(images)))
    return held_split(images, whole_labels(labels, name))


def lazy_split(opened: Dataset, labels: numpy.ndarray, name: str) -> Split:
    """Return a split whose images are opened one by one."""
    return Split(image=partial(_named_image, opened, name), labels=labels)


def _named_image(opened: Dataset, name: str, index: int) -> Image.Image:
    with named(f"{index} of {escaped(name)}"):
        return in_colour(_image(opened, index))


def _image(opened: Any, index: int) -> Image.Image:
    reader = getattr(opened, "reader", None)
    if reader is not None:  # timm's own __getitem__ replaces a broken image by the next
        with reader[index][0] as file:
            image = open_image(file)
            image.load()
            return image
    restrict_pillow()  # also in a loading process that was spawned
    return opened[index][0]
