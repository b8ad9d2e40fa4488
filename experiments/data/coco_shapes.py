"""Outlines of objects in COCO's format: polygons or run lengths, checked, packed and decoded.

Run lengths (RLE) count pixels down the columns, alternately outside and inside the object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy

from roadmap.errors import Problem, quoted

INSTALL = "masks of COCO's format need pycocotools: pip install 'modernization-roadmap[tasks]'"


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """The outlines of many objects, packed: lists of Python numbers would fill the memory.

    The polygons of object i are `first[i]` to `first[i + 1]`; polygon j has the numbers
    `numbers[start[j] : start[j + 1]]`, x and y in turn. Objects with run lengths are in `runs`.
    """

    numbers: numpy.ndarray
    start: numpy.ndarray
    first: numpy.ndarray
    runs: dict[int, dict[str, Any]]
    any_there: bool

    @classmethod
    def of(cls, given: Sequence[Any]) -> Shapes:
        """Pack outlines that were checked by `shape_fault`; None is an object without one."""
        runs = {index: shape for index, shape in enumerate(given) if isinstance(shape, dict)}
        polygons = [shape if isinstance(shape, list) else [] for shape in given]
        flat = [numpy.array(points, dtype=float) for shape in polygons for points in shape]
        return cls(
            numbers=numpy.concatenate(flat) if flat else numpy.zeros(0),
            start=numpy.cumsum([0, *map(len, flat)]),
            first=numpy.cumsum([0, *map(len, polygons)]),
            runs=runs,
            any_there=bool(flat or runs),
        )

    def masks(self, indices: range, width: int, height: int) -> numpy.ndarray:
        """Decode some objects of one image: uint8 (objects, height, width)."""
        made = numpy.zeros((len(indices), height, width), dtype=numpy.uint8)
        if self.any_there:
            for mask, index in zip(made, indices, strict=True):
                mask[:] = decoded(self.outline(index), width, height)
        return made

    def only(self, kept: numpy.ndarray) -> Shapes:
        """Return the outlines of the objects that `kept`, bool (objects,), is true of."""
        polygons = numpy.repeat(kept, numpy.diff(self.first))
        lengths = numpy.diff(self.start)
        place = numpy.cumsum(kept) - 1
        runs = {int(place[index]): shape for index, shape in self.runs.items() if kept[index]}
        return Shapes(
            numbers=self.numbers[numpy.repeat(polygons, lengths)],
            start=numpy.cumsum([0, *lengths[polygons]]),
            first=numpy.cumsum([0, *numpy.diff(self.first)[kept]]),
            runs=runs,
            any_there=bool(polygons.any() or runs),
        )

    def outline(self, index: int) -> Any:
        """Return the outline of an object as it was given: run lengths or polygons."""
        return self.runs.get(index) or [
            self.numbers[self.start[polygon] : self.start[polygon + 1]].tolist()
            for polygon in range(self.first[index], self.first[index + 1])
        ]


def check_installed() -> None:
    """Raise Problem if pycocotools is not installed."""
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError:
        raise Problem(INSTALL) from None


def decoded(shape: Any, width: int, height: int) -> numpy.ndarray:
    """Return the mask of an outline: uint8 (height, width)."""
    from pycocotools import mask

    return mask.decode(_coded(shape, width, height))


def pixels_of(shape: Any, width: int, height: int) -> int:
    """Return how many pixels an outline covers, without decoding it."""
    from pycocotools import mask

    return int(mask.area(_coded(shape, width, height)))


def _coded(shape: Any, width: int, height: int) -> Any:
    """Return an outline as compressed run lengths."""
    from pycocotools import mask

    if isinstance(shape, dict) and isinstance(shape["counts"], str | bytes):
        return shape
    coded = mask.frPyObjects(shape, height, width)
    return mask.merge(coded) if isinstance(coded, list) else coded


def shape_fault(shape: Any, width: int, height: int) -> str | None:
    """Return what is wrong with an outline in an image of this size; None if nothing is."""
    if isinstance(shape, list):
        for points in shape:
            if not isinstance(points, list) or len(points) % 2 or len(points) < 6:
                return "a polygon needs 3 or more points, each x and y"
            if not are_numbers(points):
                return "a polygon has a value that is no number"
            if is_far(points[::2], width) or is_far(points[1::2], height):
                return f"a polygon lies far outside the image of {width} × {height}"
        return None
    if not isinstance(shape, dict):
        return "segmentation is neither polygons nor run lengths (RLE)"
    size, counts = shape.get("size"), shape.get("counts")
    if size != [height, width] or set(map(type, size)) != {int}:
        return (
            f"run lengths (RLE) of size {quoted(size)} (height, width); the image has "
            f"[{height}, {width}]"
        )
    if isinstance(counts, list):
        runs = counts
        if set(map(type, runs)) - {int} or min(runs, default=0) < 0:
            return "run lengths (RLE) are not whole numbers from 0 on"
    elif isinstance(counts, str):
        try:
            runs = list(_runs(counts))
        except ValueError:
            return "compressed run lengths (RLE) cannot be read"
        if any(run < 0 for run in runs):
            return "compressed run lengths (RLE) have a negative length"
    else:
        return "run lengths (RLE) have no counts"
    if (total := sum(runs)) != width * height:
        return f"run lengths (RLE) count {total:,} pixels; the image has {width * height:,}"
    return None


def _runs(text: str) -> Iterator[int]:
    """Yield the run lengths of a compressed text. Raises ValueError.

    Each is written in groups of five bits, the lowest first. From the fourth on it is the
    difference to the run two before.
    """
    before = [0, 0, 0]
    value, shift, open_ended = 0, 0, False
    for number, code in enumerate(map(ord, text)):
        bits = code - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError(f"sign {number}")
        value |= (bits & 31) << shift
        shift += 5
        open_ended = bool(bits & 32)
        if open_ended:
            continue
        if bits & 16:
            value -= 1 << shift
        run = value + (before[-2] if len(before) > 5 else 0)
        yield run
        before.append(run)
        value, shift = 0, 0
    if open_ended:
        raise ValueError("it ends within a number")


def is_far(values: Sequence[float], side: int) -> bool:
    """Return whether a point is farther from the image than its side.

    pycocotools walks along each edge: it takes memory without bound, or crashes.
    """
    return min(values) < -side or max(values) > 2 * side


def are_numbers(values: Sequence[Any]) -> bool:
    """Return whether all values are finite numbers, quickly: a data set has millions of them."""
    try:
        return set(map(type, values)) <= {int, float} and isfinite(sum(values))
    except OverflowError:  # a whole number that no float can hold
        return False
