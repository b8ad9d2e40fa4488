"""Find objects in COCO's format whose outlines cover no pixel, without decoding all outlines."""

from __future__ import annotations

import numpy

from experiments.data.coco_shapes import Shapes, check_installed, pixels_of

# Pixels. A polygon holds a disc with a radius of at least its area / its length; a disc of this
# radius covers pixels wherever it lies.
SURE = 1.5
BLOCK = 20_000  # polygons looked at together


def without_pixels(shapes: Shapes, sizes: numpy.ndarray) -> numpy.ndarray:
    """Return bool (objects,): which objects have an outline without a pixel.

    `sizes` is (objects, 2): width and height of each object's image.
    """
    found = numpy.zeros(len(sizes), dtype=bool)
    counts = numpy.diff(shapes.first)  # of the polygons of each object
    object_of = numpy.repeat(numpy.arange(len(sizes)), counts)
    unsure = counts > 0
    for begin in range(0, len(object_of), BLOCK):
        own = object_of[begin : begin + BLOCK]
        bounds = shapes.start[begin : begin + len(own) + 1]
        points = shapes.numbers[bounds[0] : bounds[-1]].reshape(-1, 2)
        sure = _surely_cover(points, (bounds - bounds[0]) // 2, sizes[own])
        unsure[own[sure]] = False
    decoded = [*numpy.flatnonzero(unsure).tolist(), *shapes.runs]
    if decoded:
        check_installed()
    for index in decoded:
        width, height = sizes[index].tolist()
        found[index] = pixels_of(shapes.outline(index), width, height) == 0
    return found


def _surely_cover(
    points: numpy.ndarray, bounds: numpy.ndarray, sizes: numpy.ndarray
) -> numpy.ndarray:
    """Return bool (polygons,): which polygons lie within their image and are wide enough.

    The points of polygon i are those from `bounds[i]` to `bounds[i + 1]`.
    """
    begins = bounds[:-1]
    following = numpy.arange(1, len(points) + 1)
    following[bounds[1:] - 1] = begins
    (x, y), (next_x, next_y) = points.T, points[following].T
    area = numpy.abs(numpy.add.reduceat(x * next_y - next_x * y, begins)) / 2
    length = numpy.add.reduceat(numpy.hypot(next_x - x, next_y - y), begins)
    least = numpy.minimum.reduceat(points, begins)
    most = numpy.maximum.reduceat(points, begins)
    within = (least >= 0).all(1) & (most <= sizes).all(1)
    return within & (area > SURE * length)
