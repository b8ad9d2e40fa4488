"""Fashion-MNIST (Xiao et al., 2017), from the idx files of Debian's package.

60,000 training and 10,000 test images of 28 × 28 grey pixels in 10 classes. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from experiments.data.idx import read_bytes, read_idx
from experiments.data.source import OneSet, Progress
from roadmap.errors import Problem

if TYPE_CHECKING:
    from experiments.data.splits import Split

INSTALLED = Path("/usr/share/datasets/fashion-mnist")
SPLITS = {"train": "train", "val": "t10k"}
KINDS = ("images-idx3-ubyte", "labels-idx1-ubyte")


@dataclass(frozen=True, kw_only=True)
class FashionMnist(OneSet):
    """The four idx files; `files` are images and labels of "train" and "val"."""

    files: dict[str, tuple[Path, Path]]

    choice = "'fashion-mnist'"
    name = "fashion-mnist"
    class_names = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip

    @classmethod
    def read(cls, name: str, root: Path | None) -> FashionMnist:
        """Find the files in `root`, or where the package puts them. Raises Problem."""
        folder = root or INSTALLED
        files = {}
        for split, start in SPLITS.items():
            images, labels = (_find(folder, f"{start}-{kind}") for kind in KINDS)
            files[split] = (images, labels)
        data = cls(files=files)
        for split, (_, path) in files.items():
            values = data._labels[split]
            if values.ndim != 1 or not len(values) or values.max() >= data.classes:
                raise Problem(f"{path} does not hold labels of 0 to {data.classes - 1}")
        return data

    @cached_property
    def _labels(self) -> dict[str, numpy.ndarray]:
        return {split: read_idx(labels) for split, (_, labels) in self.files.items()}

    @property
    def images(self) -> int:
        """Number of training images."""
        return len(self._labels["train"])

    @cached_property
    def classes(self) -> int:
        """Number of classes; labels start at 0."""
        return int(self._labels["train"].max()) + 1

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over the uncompressed bytes of all four files."""
        digest = hashlib.sha256()
        for split in SPLITS:
            for path in self.files[split]:
                digest.update(read_bytes(path))
        return digest.hexdigest()[:12]

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Return both splits, held in memory; the grey value becomes red, green and blue."""
        from experiments.data.splits import held_split

        splits = {}
        for split, (path, _) in self.files.items():
            grey, labels = read_idx(path), self._labels[split]
            if grey.ndim != 3 or len(grey) != len(labels):
                raise Problem(f"{path} does not hold one grey image per label")
            splits[split] = held_split(numpy.repeat(grey[..., None], 3, -1), labels.astype(int))
        return splits


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise Problem(
        f"data set fashion-mnist: {folder} has no {name}.gz; "
        "install Debian's package (apt-get install dataset-fashion-mnist), "
        "or give --data-root DIR, a folder with its four idx files"
    )
