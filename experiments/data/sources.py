"""The kinds of data sets that `--data` takes. A new kind is one class and one entry here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from experiments.data.ade import AdeFolder
from experiments.data.coco import CocoFolder
from experiments.data.fashion_mnist import FashionMnist
from experiments.data.folder import Folder
from experiments.data.fractal_scenes import FractalScenes
from experiments.data.fractals import Fractals, ScatteredFractals
from experiments.data.reading import PLAIN, Reading
from experiments.data.shards import Shards
from experiments.data.source import Source
from experiments.data.timm_data import TimmData
from experiments.data.voc import VocFolder
from roadmap.errors import Problem, check_text, escaped

# The first that takes a name reads it: a built-in name is never a folder. Folder takes all folders.
SOURCES: tuple[type[Source], ...] = (
    Fractals,
    ScatteredFractals,
    FractalScenes,
    FashionMnist,
    CocoFolder,
    AdeFolder,
    VocFolder,
    Folder,
    Shards,
    TimmData,
)


@cache
def read_source(name: str | None, root: Path | None = None, reading: Reading = PLAIN) -> Source:
    """Find and check a data set by the name given with --data. Raises Problem.

    `root` is where timm looks for its own data sets and downloads them to. `reading` says how a
    folder of images is read.
    """
    if name is None:
        raise Problem(f"this roadmap has no data of its own; give --data: {_choices()}")
    kind = kind_of(name)
    source = kind.read(name, root) if not reading.options else kind.read_as(name, root, reading)
    check_names(source)
    return source


def check_names(source: Source) -> None:
    """Raise Problem for a name that no record can hold: of the data set or of a class."""
    check_text("name of the data", source.name)
    for name in getattr(source, "class_names", ()):
        check_text(f"class of data {escaped(source.name)}", name)


def kind_of(name: str) -> type[Source]:
    """Return the kind of data set that a name means. Raises Problem if there is none."""
    for kind in SOURCES:
        if kind.takes(name):
            return kind
    raise Problem(f"data {escaped(name)} does not exist; valid: {_choices()}")


def _choices() -> str:
    return ", ".join(kind.choice for kind in SOURCES)


def read_evaluated(name: str, root: Path | None, reading: Reading = PLAIN) -> Source:
    """Find a data set of which only the validation images are needed. Raises Problem.

    A folder may hold class folders alone: all of their images are then evaluated.
    """
    if reading.val_fraction is None and Folder.takes(name) and kind_of(name) is Folder:
        return Folder.read_alone(name, reading)
    return read_source(name, root, reading)
