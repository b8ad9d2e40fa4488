"""Open label maps: PNG files whose values stand for classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy
from PIL import Image, ImageFile

from experiments.data.files import File, Samples
from experiments.data.images import named, open_image, upright_hint
from experiments.data.scene import UNLABELLED
from experiments.data.splits import Split, split_of_files


@dataclass(frozen=True)
class Coding:
    """What the values of a file mean: `first` is class 0, `unlabelled` is no class."""

    classes: int
    first: int
    unlabelled: int


def open_split(samples: Samples, maps: tuple[File, ...], coding: Coding) -> Split:
    """Return a split of images with label maps."""
    read = partial(label_map_of, samples, maps, coding)
    return replace(split_of_files(samples), label_map=read)


def label_map_of(
    samples: Samples, maps: tuple[File, ...], coding: Coding, index: int
) -> numpy.ndarray:
    """Return uint8 (height, width): classes from 0, or UNLABELLED. Raises BrokenImage."""
    file, image = maps[index], samples[index][0]
    with named(str(image)):
        picture = open_image(image.open())
    with named(str(file)):
        label_map = open_image(file.open())
        _check_kind(label_map)
        if label_map.size != picture.size:
            own, its = (f"{one.width} × {one.height}" for one in (label_map, picture))
            hint = upright_hint(picture, label_map.size)
            raise ValueError(f"it has {own} pixels, its image has {its}{hint}")
        return _decoded(label_map, coding)


def _check_kind(label_map: ImageFile.ImageFile) -> None:
    """Raise ValueError unless the values in the file are those that Pillow gives."""
    if label_map.format != "PNG":  # JPEG changes values
        raise ValueError(f"it is {label_map.format}, not PNG; a label map is a PNG file")
    stored = str(label_map.tile[0][3])  # such as L;4: Pillow scales its 16 values to 0 to 255
    kind = stored if label_map.mode == "L" else label_map.mode
    if kind not in ("L", "P"):
        raise ValueError(f"a label map has one byte for each pixel, grey or palette; it is {kind}")


def _decoded(label_map: Image.Image, coding: Coding) -> numpy.ndarray:
    values = numpy.asarray(label_map)
    counts = numpy.bincount(values.ravel(), minlength=256)
    last = coding.first + coding.classes - 1
    known = {coding.unlabelled, *range(coding.first, last + 1)}
    for value in numpy.flatnonzero(counts).tolist():
        if value not in known:
            raise ValueError(
                f"{counts[value]:,} pixels have value {value}; classes are {coding.first} to "
                f"{last}, {coding.unlabelled} is unlabelled"
            )
    table = (numpy.arange(256) - coding.first) & 255
    table[coding.unlabelled] = UNLABELLED
    return table.astype(numpy.uint8)[values]
