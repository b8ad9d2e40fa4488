"""Data sets that timm's `create_dataset` takes by name: torch/…, hfds/…, hfids/…, tfds/…

For wds/… see `shards`. What needs torch is in `timm_reading`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.data.cache import cache_folder
from experiments.data.source import Progress, Source
from roadmap.errors import Problem
from roadmap.spec import fingerprint

if TYPE_CHECKING:
    import numpy
    from torch.utils.data import Dataset

    from experiments.data.splits import Split

PREFIXES = ("torch", "hfds", "hfids", "tfds")


@dataclass(frozen=True, kw_only=True, eq=False)
class TimmData(Source):
    """Both splits of one of timm's data sets, as timm opens them."""

    name: str
    splits: dict[str, Dataset]
    labels: dict[str, numpy.ndarray | None]  # None if only reading all images would tell

    choice = f"a data set of timm's ({'/…, '.join(PREFIXES)}/…)"

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return whether the name has one of timm's prefixes."""
        prefix, slash, _ = name.partition("/")
        return bool(slash) and prefix.lower() in PREFIXES

    @classmethod
    def read(cls, name: str, root: Path | None) -> TimmData:
        """Open both splits; timm may download to `root`. Raises Problem that says what to do."""
        from experiments.data import timm_reading

        root = root or cache_folder() / "datasets"
        root.mkdir(parents=True, exist_ok=True)
        splits = timm_reading.open_splits(name, root)
        labels = {
            split: timm_reading.read_labels(opened, f"{name} ({split})")
            for split, opened in splits.items()
        }
        data = cls(name=name, splits=splits, labels=labels)
        for split, known in labels.items():
            if known is not None:
                data.check(known, split)
        return data

    @property
    def images(self) -> int:
        """Number of training images."""
        return len(self.splits["train"])  # type: ignore[arg-type]  # timm's have a length

    @cached_property
    def classes(self) -> int:
        """Number of classes; labels start at 0."""
        if (labels := self.labels["train"]) is not None:
            return int(labels.max()) + 1
        reader = getattr(self.splits["train"], "reader", None)
        names = getattr(reader, "class_to_idx", None)
        if not names:
            raise Problem(f"data set {self.name} does not say what classes it has")
        return len(names)

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over name, sizes, labels and some of the images."""
        from experiments.data.timm_reading import sample_pixels

        parts: dict[str, Any] = {"name": self.name}
        for split, opened in self.splits.items():
            labels = self.labels[split]
            known = None if labels is None else zlib.crc32(labels.astype("<i8").tobytes())
            pixels = map(zlib.crc32, sample_pixels(opened))
            parts[split] = [len(opened), known, *pixels]  # type: ignore[arg-type]
        return fingerprint(parts)

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Return both splits: read once and held if timm reads in order, else opened one by one."""
        from experiments.data import timm_reading

        made = {}
        for split, opened in self.splits.items():
            name, labels = f"{self.name}, {split}", self.labels[split]
            if labels is None:
                made[split] = timm_reading.read_in_order(opened, name, progress)
                self.check(made[split].labels, split)
            else:
                made[split] = timm_reading.lazy_split(opened, labels, name)
        return made

    def check(self, labels: numpy.ndarray, split: str) -> None:
        """Raise Problem if a label is not among the classes of the training images."""
        for label in (labels.min(), labels.max()):
            if not 0 <= label < self.classes:
                whose = f"data set {self.name} ({split}): label {label} of an image"
                raise Problem(f"{whose}, but those of train are 0 to {self.classes - 1}")
