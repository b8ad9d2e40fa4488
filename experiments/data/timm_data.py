"""A data set that timm's `create_dataset` takes by name: torch/…, hfds/…, hfids/…, tfds/…

Those that can only be read in order (hfids, tfds) are read once, unshuffled, and held in memory;
the others are opened image by image. For wds/… see `shards`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from timm.data import create_dataset
from torch.utils.data import Dataset, IterableDataset

from experiments.data.shards import SPLITS
from roadmap.errors import Problem
from roadmap.spec import fingerprint

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class TimmData:
    """Both splits of a data set of timm's, as timm opens them."""

    name: str
    splits: dict[str, Dataset]
    labels: dict[str, numpy.ndarray | None]  # None where only reading all would tell

    @property
    def images(self) -> int:
        """Training images."""
        return len(self.splits["train"])

    @property
    def classes(self) -> int:
        """Labels from 0 up."""
        if (labels := self.labels["train"]) is not None:
            return int(labels.max()) + 1
        named = getattr(self.splits["train"].reader, "class_to_idx", None)
        if not named:
            raise Problem(f"data set {self.name} does not say what classes it has")
        return len(named)

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over name, sizes, labels and some of the images."""
        parts: dict[str, Any] = {"name": self.name}
        for split, opened in self.splits.items():
            labels = self.labels[split]
            known = None if labels is None else zlib.crc32(labels.astype("<i8").tobytes())
            parts[split] = [len(opened), known, *map(zlib.crc32, _some(opened))]
        return fingerprint(parts)

    def read(self, split: str, progress: Progress) -> tuple[list[numpy.ndarray], numpy.ndarray]:
        """All images and labels of a split that is read in order."""
        opened, images, labels = self.splits[split], [], []
        for image, label in opened:
            images.append(numpy.asarray(image.convert("RGB")))
            labels.append(label)
            progress(len(images), max(len(opened), len(images)))
        found = whole_labels(labels, f"{self.name} ({split})")
        return images, self.checked(found, split)

    def checked(self, labels: numpy.ndarray, split: str) -> numpy.ndarray:
        """The labels, if they are of the classes there are; else a Problem."""
        for label in (labels.min(), labels.max()) if len(labels) else ():
            if not 0 <= label < self.classes:
                whose = f"data set {self.name} ({split}): label {label} of an image"
                raise Problem(f"{whose}, but those of train are 0 to {self.classes - 1}")
        return labels


def read_timm_data(name: str, root: Path) -> TimmData:
    """Open both splits, downloading to `root` where timm does; a Problem says what to do."""
    root.mkdir(parents=True, exist_ok=True)
    splits = {split: _open(name, root, names) for split, names in SPLITS.items()}
    labels = {split: _labels(opened, f"{name} ({split})") for split, opened in splits.items()}
    data = TimmData(name=name, splits=splits, labels=labels)
    for split, known in labels.items():
        if known is not None:
            data.checked(known, split)
    return data


def _open(name: str, root: Path, names: Sequence[str]) -> Dataset:
    """The split that has one of these names."""
    faults = []
    for split in names:
        make = partial(create_dataset, name, root=str(root), split=split, is_training=False)
        try:
            try:
                return make(download=True)
            except TypeError:  # a kind that knows no downloading
                return make()
        except ImportError as error:
            raise Problem(f"data set {name} needs a package: pip install {error.name}") from None
        except (Exception, SystemExit) as error:
            faults.append(" ".join(str(error).split())[:300] or type(error).__name__)
    raise Problem(
        f"data set {name} ({names[0]}) is not in {root} and could not be fetched or read: "
        f"{faults[0]}; put it there yourself (--data-root DIR), or give a folder or a .tar"
    )


def _labels(opened: Dataset, name: str) -> numpy.ndarray | None:
    if isinstance(opened, IterableDataset):
        return None
    for attribute in ("targets", "labels"):
        if hasattr(opened, attribute):
            return whole_labels(getattr(opened, attribute), name)
    if hasattr(opened, "reader") and hasattr(opened.reader, "iter_targets"):
        return whole_labels(list(opened.reader.iter_targets()), name)
    return whole_labels([opened[index][1] for index in range(len(opened))], name)


def whole_labels(given: Any, name: str) -> numpy.ndarray:
    """Labels as whole numbers, one an image; a Problem where they are something else."""
    try:
        found = torch.as_tensor(given).numpy()
    except (TypeError, ValueError, RuntimeError):
        found = numpy.empty(0, dtype=object)
    if found.ndim != 1 or found.dtype.kind not in "iu" or not len(found):
        raise Problem(f"data set {name} has no labels that are one whole number an image")
    return found


def _some(opened: Dataset) -> list[bytes]:
    """The pixels of 16 images from all over a set that can be opened anywhere; none if broken."""
    if isinstance(opened, IterableDataset):
        return []
    found = []
    for index in range(0, len(opened), max(1, len(opened) // 16)):
        try:
            found.append(numpy.asarray(open_image(opened, index).convert("RGB")).tobytes())
        except Exception:  # said when the image is needed
            found.append(b"")
    return found


def open_image(opened: Dataset, index: int) -> Image.Image:
    """One image."""
    reader = getattr(opened, "reader", None)
    if reader is not None:  # timm's own __getitem__ replaces a broken image by the next
        with reader[index][0] as file:
            image = Image.open(file)
            image.load()
            return image
    return opened[index][0]
