"""What folders of annotated images have in common: COCO's, ADE20K's and VOC's layouts."""

from __future__ import annotations

import errno
import os
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.data.faults import Faults
from experiments.data.files import File, Files, content_of
from experiments.data.reading import Reading
from roadmap.errors import Problem, escaped
from roadmap.spec import fingerprint
from roadmap.tasks import TaskName

GROUND = "ground"  # the name of class 0 in segmentation, if objects are annotated


@dataclass(frozen=True, kw_only=True)
class SceneFolder(Files):
    """A folder of images with annotations; the labels in `samples` are 0.

    `annotated` identifies the annotations in the fingerprint. `left_out` counts what is not read.
    """

    annotated: dict[str, Any]
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    @abstractmethod
    def look(cls, name: str) -> tuple[SceneFolder, Faults]:
        """Find the data set and list all faults of its annotations. Raises Problem if it is none.

        With faults, the data set can be used for nothing.
        """

    @classmethod
    def read(cls, name: str, root: Path | None) -> SceneFolder:
        """Find and check the data set; raises Problem with the first fault and their number."""
        source, faults = cls.look(name)
        faults.check()
        return source

    @classmethod
    def read_as(cls, name: str, root: Path | None, reading: Reading) -> SceneFolder:
        """Raise Problem: these options are for images of classes."""
        raise Problem(
            f"{reading.options} is for images in class folders; data {escaped(name)} has "
            f"annotations ({cls.choice})"
        )

    @property
    def no_label_maps(self) -> str:
        """Why the data cannot be used for segmentation, for messages; empty if they can."""
        return ""

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over annotations, and names and sizes of images."""
        content: dict[str, Any] = {
            split: [[file.name, content_of(file)] for file, _ in pairs]
            for split, pairs in self.samples.items()
        }
        return fingerprint(content | {"annotated": self.annotated})

    def check_jpeg(self) -> None:
        """Raise Problem: decoding on a GPU crops for classification."""
        raise Problem(f"--decode gpu is for classification; data {self.name} has annotations")

    def names_for(self, task: TaskName) -> tuple[str, ...]:
        """Return the names of the classes of a task."""
        names = super().names_for(task)
        return names if self.classes_for(task) == len(names) else (GROUND, *names)


def files_below(folder: Path, split: str) -> dict[str, File]:
    """Return the files in a folder and below it by their names, such as `0001.jpg`."""
    return dict(_files_below(folder, "", split))


def _files_below(folder: Path, inside: str, split: str) -> Iterator[tuple[str, File]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = f"{inside}{entry.name}"
            if entry.name.startswith("."):
                continue
            if _is_file(entry):
                file = File(f"{split}/{name}", Path(entry.path), entry.stat().st_size)
                yield name, file
            elif entry.is_dir(follow_symlinks=False):
                yield from _files_below(Path(entry.path), f"{name}/", split)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a file or a link to one; a link into itself is none."""
    try:
        return entry.is_file()
    except OSError as fault:
        if fault.errno == errno.ELOOP:
            return False
        raise


def listed(names: list[str] | tuple[str, ...], most: int = 10) -> str:
    """Return names for a message, at most `most` of them; "nothing" if there are none."""
    more = f", … ({len(names)})" if len(names) > most else ""
    return ", ".join(map(escaped, names[:most])) + more or "nothing"
