"""Open the images of a COCO folder, and decode their objects and label maps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy
from PIL import Image

from experiments.data.coco_file import Annotations
from experiments.data.files import Samples
from experiments.data.images import in_colour, named, open_image, upright_hint
from experiments.data.scene import UNLABELLED, Objects
from experiments.data.splits import Split, split_of_files


def open_split(annotations: Annotations, samples: Samples, chosen: numpy.ndarray) -> Split:
    """Return a split of the `chosen` images of an annotation file, by index."""
    return replace(
        split_of_files(samples),
        image=partial(open_sized, annotations, chosen),
        objects=partial(objects_of, annotations, chosen),
        label_map=partial(label_map_of, annotations, chosen),
    )


def open_sized(annotations: Annotations, chosen: numpy.ndarray, index: int) -> Image.Image:
    """Open an image as RGB; raises BrokenImage if its size is not that of the annotations."""
    place = chosen[index]
    file, (width, height) = annotations.files[place], annotations.sizes[place].tolist()
    with named(str(file)):
        image = open_image(file.open())
        if image.size != (width, height):
            stored = f"{image.size[0]} × {image.size[1]}"
            hint = upright_hint(image, (width, height))
            said = f"its annotations say {width} × {height}{hint}"
            raise ValueError(f"it has {stored} pixels, {said}")
        return in_colour(image)


def objects_of(annotations: Annotations, chosen: numpy.ndarray, index: int) -> Objects:
    """Return the objects of an image, in the order of the file; crowds too."""
    place = chosen[index]
    indices = range(annotations.first[place], annotations.first[place + 1])
    own = slice(indices.start, indices.stop)
    width, height = annotations.sizes[place].tolist()
    with named(f"{annotations.files[place]} (its annotations)"):
        masks = annotations.shapes.masks(indices, width, height)
        empty = annotations.ids[own][masks.max((1, 2)) == 0]
        if annotations.shapes.any_there and len(empty):
            raise ValueError(f"the outline of annotation {empty[0]} covers no pixel")
    return Objects(
        boxes=annotations.boxes[own],
        labels=annotations.labels[own],
        masks=masks,
        crowd=annotations.crowd[own],
        areas=annotations.areas[own],
    )


def label_map_of(annotations: Annotations, chosen: numpy.ndarray, index: int) -> numpy.ndarray:
    """Return uint8 (height, width): 0 for the background, class + 1 for objects.

    Smaller objects, by pixels of their masks, lie over larger ones. Crowds are UNLABELLED where no
    object is.
    """
    objects = objects_of(annotations, chosen, index)
    made = numpy.zeros(objects.masks.shape[1:], dtype=numpy.uint8)
    pixels = objects.masks.sum((1, 2), dtype=numpy.int64)
    for each in sorted(
        range(len(pixels)), key=lambda each: (not objects.crowd[each], -pixels[each])
    ):
        value = UNLABELLED if objects.crowd[each] else objects.labels[each] + 1
        made[objects.masks[each] > 0] = value
    return made
