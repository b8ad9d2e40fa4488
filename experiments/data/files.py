"""Images in files, or in parts of files: what a folder, a tar and shards have in common."""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from experiments.data.prepared import Prepared
from experiments.data.source import Progress, Source
from roadmap.errors import Problem, escaped
from roadmap.files import check_size
from roadmap.spec import fingerprint

if TYPE_CHECKING:
    from experiments.data.splits import Split

MOST_BYTES = 256_000_000  # of an image file
JPEG = (".jpg", ".jpeg")
UNCOMPRESSED = (".ppm", ".pgm", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class File:
    """An image: `size` bytes from `offset` of the file at `path`; `name` is train/<class>/…

    `member` is its name in an archive, if that is another one.
    """

    name: str
    path: Path
    size: int
    offset: int = 0
    member: str = ""

    def open(self, *, limit: int = MOST_BYTES) -> BinaryIO:
        """Return the image's bytes as a file; raise ValueError if they are more than `limit`."""
        check_size(self.size, limit)
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return io.BytesIO(file.read(self.size))

    @property
    def location(self) -> str:
        """The path; of an image in an archive also its name there."""
        in_archive = self.path.suffix == ".tar"
        return f"{self.path}: {self.member or self.name}" if in_archive else str(self.path)

    def __str__(self) -> str:
        """Name the image in a message."""
        return escaped(self.location)


Samples = tuple[tuple[File, int], ...]  # images with their labels


@dataclass(frozen=True, kw_only=True)
class Files(Source):
    """A data set whose images are files; `samples` are those of "train" and "val".

    `prepared` says how they were made, if they are a copy by `prepare-data`. With `exif`, images
    are turned upright. `facts` are more facts for records.
    """

    name: str
    class_names: tuple[str, ...]
    samples: dict[str, Samples]
    prepared: Prepared | None = None
    exif: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def images(self) -> int:
        """Number of training images."""
        return len(self.samples["train"])

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits over names and sizes; uncompressed images count with their bytes.

        It is the same for a folder and for a tar of it. That of a prepared copy covers its source.
        Names begin with the split, so the choice of held-out images is part of it.
        """
        content: dict[str, Any] = {
            split: [[file.name, content_of(file)] for file, _ in pairs]
            for split, pairs in self.samples.items()
        }
        content |= {"prepared": self.prepared.identity} if self.prepared else {}
        return fingerprint(content | ({"exif": True} if self.exif else {}))

    def check_jpeg(self) -> None:
        """Raise Problem that names the first training image that is no JPEG file."""
        if self.exif:
            raise Problem("--decode gpu turns no images upright; leave out --exif or --decode gpu")
        for file, _ in self.samples["train"]:
            if PurePosixPath(file.name).suffix.lower() not in JPEG:
                copy = "prepare-data writes a copy of them"
                raise Problem(f"--decode gpu reads JPEG files; {file} is none; {copy}")

    @property
    def details(self) -> dict[str, Any]:
        """How a prepared copy was made, and how the images are read."""
        copy = {"prepared": asdict(self.prepared)} if self.prepared else {}
        return copy | self.facts | ({"exif": True} if self.exif else {})

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Return both splits; an image is read from its file each time that it is asked for."""
        from experiments.data.splits import split_of_files

        return {
            split: split_of_files(samples, exif=self.exif)
            for split, samples in self.samples.items()
        }


def content_of(file: File) -> int | str:
    """Return what distinguishes versions of an image: its size, or its bytes if that is fixed.

    A file that is too large to be opened counts with its size.
    """
    fixed_size = PurePosixPath(file.name).suffix.lower() in UNCOMPRESSED
    if fixed_size and file.size <= MOST_BYTES:
        return hashlib.sha256(file.open().read()).hexdigest()
    return file.size
