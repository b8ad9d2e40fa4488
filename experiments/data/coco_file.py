"""Read an annotation file of COCO's format and check every annotation, without torch."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy

from experiments.data.coco_empty import without_pixels
from experiments.data.coco_shapes import Shapes, are_numbers, shape_fault
from experiments.data.faults import Faults, brief
from experiments.data.files import File
from roadmap.errors import Problem, check_text, escaped, quoted, shortened
from roadmap.files import check_ends

MOST_BYTES = 8 * 10**9
MOST_ID = 2**63 - 1
THINNEST = 0.01  # pixels of a side of a box within the image: float32 must tell its ends apart
MOST_PIXELS = 2**16  # of a side of an image: a wrong number would fill the memory with its masks
MOST_AREA = 2**32
ROUNDING = 1.0  # pixels that a box may stick out of its image; it is then clipped
LISTS = ("images", "annotations", "categories")


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """The images of one annotation file and their objects, sorted by image in the file's order.

    The objects of image i are `first[i]` to `first[i + 1]`. `sizes` is int32 (images, 2): width and
    height. `boxes` is float32 (objects, 4): left, top, right, bottom. `labels` count from 0.
    `sha256` is that of the file at `path`.
    """

    path: Path
    sha256: str
    categories: dict[int, str]
    files: tuple[File, ...]
    sizes: numpy.ndarray
    first: numpy.ndarray
    boxes: numpy.ndarray
    labels: numpy.ndarray
    crowd: numpy.ndarray
    areas: numpy.ndarray
    ids: numpy.ndarray
    shapes: Shapes
    empty: int  # objects of area 0 whose box has no area, which are left out
    unseen: int  # objects whose outline covers no pixel, which are left out

    @property
    def with_objects(self) -> numpy.ndarray:
        """The indices of images that have an object which is no crowd."""
        image_of = numpy.repeat(numpy.arange(len(self.files)), numpy.diff(self.first))
        return numpy.unique(image_of[~self.crowd])


def read_annotations(path: Path, folder: Path, files: Mapping[str, File]) -> tuple[Any, Faults]:
    """Return the Annotations of a file, and the faults in it; `files` are those in `folder`.

    Raises Problem if the file as a whole cannot be read.
    """
    content, sha256 = _load(path)
    faults, where = Faults(), escaped(str(path))
    categories = _categories(content["categories"], where)
    images = _images(content["images"], where, folder, files, faults)
    rows: list[list[Any]] = [[] for _ in images]
    places = {number: place for place, number in enumerate(images)}
    labels = {number: label for label, number in enumerate(categories)}
    seen: set[int] = set()
    empty = 0
    for given in content["annotations"]:
        row = _row(given, where, images, labels, seen, faults)
        if row is EMPTY:
            empty += 1
        elif row is not None:
            rows[places[given["image_id"]]].append(row)
    flat = [row for own in rows for row in own]
    with_shape = sum(row[5] is not None for row in flat)
    if 0 < with_shape < len(flat):
        for row in (row for row in flat if row[5] is None):
            faults.add(
                "annotation without segmentation",
                f"{where}: annotation {row[4]} has no segmentation, others have one",
            )
    there = [(image["file"], image["size"]) for image in images.values()]
    sizes = numpy.array([size for _, size in there], dtype=numpy.int32).reshape(-1, 2)
    image_of = numpy.repeat(numpy.arange(len(rows)), [len(own) for own in rows])
    shapes = Shapes.of([row[5] for row in flat])
    unseen = without_pixels(shapes, sizes[image_of])
    if unseen.any():
        shapes, image_of = shapes.only(~unseen), image_of[~unseen]
        flat = [row for row, is_unseen in zip(flat, unseen, strict=True) if not is_unseen]
    return (
        Annotations(
            path=path,
            sha256=sha256,
            categories=categories,
            files=tuple(file for file, _ in there),
            sizes=sizes,
            first=numpy.cumsum([0, *numpy.bincount(image_of, minlength=len(rows))]),
            boxes=numpy.array([row[0] for row in flat], dtype=numpy.float32).reshape(-1, 4),
            labels=numpy.array([row[1] for row in flat], dtype=numpy.int64),
            crowd=numpy.array([row[2] for row in flat], dtype=bool),
            areas=numpy.array([row[3] for row in flat], dtype=numpy.float32),
            ids=numpy.array([row[4] for row in flat], dtype=numpy.int64),
            shapes=shapes,
            empty=empty,
            unseen=int(unseen.sum()),
        ),
        faults,
    )


EMPTY = object()  # instead of the row of an object without pixels


def _row(
    given: Any,
    where: str,
    images: Mapping[int, Mapping[str, Any]],
    labels: Mapping[int, int],
    seen: set[int],
    faults: Faults,
) -> Any:
    """Return box, label, crowd, area, id and shape of an annotation; None after noting a fault."""
    number = given.get("id") if isinstance(given, dict) else None
    if not _is_id(number):
        faults.add("annotation without id", f"{where}: an annotation has no id: {_short(given)}")
        return None
    image = given.get("image_id")
    known = images.get(image) if _is_id(image) else None
    if known is None:
        kind = "annotation of an image that is not there"
        text = f"{where}: annotation {number} is of image {_short(image)}, which is not in images"
        faults.add(kind, text)
        return None
    name = f"{where}: image {known['shown']} (id {image}), annotation {number}"
    if number in seen:
        faults.add("annotation id used twice", f"{name}: another annotation has this id too")
        return None
    seen.add(number)
    label = labels.get(given["category_id"]) if _is_id(given.get("category_id")) else None
    if label is None:
        what = _short(given.get("category_id"))
        text = f"{name}: class id {what} has no name in categories"
        faults.add("class id without a name", text)
        return None
    width, height = known["size"]
    box, area, crowd = given.get("bbox"), given.get("area"), given.get("iscrowd", 0)
    if not (isinstance(box, list) and len(box) == 4 and are_numbers(box)):
        faults.add("box of other than 4 numbers", f"{name}: box {_short(box)} is not 4 numbers")
        return None
    if area is None:
        faults.add("annotation without an area", f"{name}: area is missing")
        return None
    if not are_numbers([area]) or not 0 <= area <= MOST_AREA:
        text = f"{name}: area {_short(area)} is no number from 0 to {MOST_AREA:,}"
        faults.add("annotation without an area", text)
        return None
    if crowd not in (0, 1):
        faults.add("iscrowd other than 0 or 1", f"{name}: iscrowd {_short(crowd)} is not 0 or 1")
        return None
    x, y, w, h = box
    if area == 0 and min(w, h) == 0:
        return EMPTY
    right, bottom = x + w, y + h
    thinnest = min(min(right, width) - max(x, 0), min(bottom, height) - max(y, 0))
    if w <= 0 or h <= 0 or 0 < thinnest < THINNEST:
        least = f"has no area: a side needs {THINNEST} pixels"
        faults.add("box without area", f"{name}: box {_short(box)} (x, y, width, height) {least}")
        return None
    sticks_out = min(x, y) < -ROUNDING or right > width + ROUNDING or bottom > height + ROUNDING
    corners = (max(x, 0), max(y, 0), min(right, width), min(bottom, height))
    if sticks_out or corners[0] >= corners[2] or corners[1] >= corners[3]:
        text = (
            f"{name}: box {_short(box)} (x, y, width, height) lies outside the image of "
            f"{width} × {height}"
        )
        faults.add("box outside the image", text)
        return None
    shape = given.get("segmentation") or None
    if shape is not None and (fault := shape_fault(shape, width, height)) is not None:
        faults.add("broken segmentation", f"{name}: {fault}")
        return None
    return corners, label, crowd, area, number, shape


def _load(path: Path) -> tuple[dict[str, list[Any]], str]:
    """Return the three lists of a file and its SHA-256. Raises Problem."""
    where = escaped(str(path))
    try:
        if check_ends(path) > MOST_BYTES:
            raise Problem(f"{where} has more than {MOST_BYTES:,} bytes")
        raw = path.read_bytes()
        content = json.loads(raw, object_pairs_hook=_unique)
    except _Repeated as fault:
        raise Problem(f"{where}: {fault}") from None
    except (OSError, ValueError, RecursionError) as fault:
        raise Problem(f"{where} is no JSON file that can be read: {fault}") from None
    for key in LISTS:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise Problem(f"{where} has no list {key!r}; COCO's format has {', '.join(LISTS)}")
    for key in ("images", "categories"):
        if not content[key]:
            raise Problem(f"{where}: the list {key!r} is empty")
    return content, hashlib.sha256(raw).hexdigest()


class _Repeated(Exception):
    """An object of a JSON file has a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a JSON file. Raises _Repeated; JSON itself would keep the last value."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        number = f", in the object with id {_short(made['id'])}" if "id" in made else ""
        raise _Repeated(f"key {quoted(twice)} is given twice{number}")
    return made


def _categories(given: Sequence[Any], where: str) -> dict[int, str]:
    """Return the name of each class id, in the order of the ids. Raises Problem."""
    names: dict[int, str] = {}
    seen: set[str] = set()
    for category in given:
        number = category.get("id") if isinstance(category, dict) else None
        name = category.get("name") if isinstance(category, dict) else None
        if not _is_id(number) or not isinstance(name, str) or not name.strip():
            raise Problem(f"{where}: category {_short(category)} needs an id and a name")
        if number in names:
            raise Problem(f"{where}: categories has id {number} twice")
        check_text(f"{where}: category {number}", name)
        if name in seen:
            raise Problem(f"{where}: categories has the name {quoted(name)} twice")
        seen.add(name)
        names[number] = name
    return dict(sorted(names.items()))


def _images(
    given: Sequence[Any], where: str, folder: Path, files: Mapping[str, File], faults: Faults
) -> dict[int, dict[str, Any]]:
    """Return name for messages, size and file of each image by its id, in the file's order."""
    images: dict[int, dict[str, Any]] = {}
    names: set[str] = set()
    for image in given:
        number, name, width, height = (
            image.get(key) if isinstance(image, dict) else None
            for key in ("id", "file_name", "width", "height")
        )
        sized = all(_is_id(side) and 0 < side <= MOST_PIXELS for side in (width, height))
        if not (_is_id(number) and isinstance(name, str) and name and sized):
            text = (
                f"{where}: image {_short(image)} needs id, file_name, width and height (1 to "
                f"{MOST_PIXELS:,} pixels)"
            )
            faults.add("image without id, name or size", text)
            continue
        shown = f"{where}: image {brief(name)} (id {number})"
        if number in images:
            faults.add("image id used twice", f"{shown}: another image has this id too")
        elif name in names:
            faults.add("image file named twice", f"{shown}: another image has this file too")
        elif name not in files:
            faults.add("missing image file", f"{shown} is not in {escaped(str(folder))}")
            images[number] = {"shown": brief(name), "size": (width, height), "file": None}
        else:
            images[number] = {"shown": brief(name), "size": (width, height), "file": files[name]}
        names.add(name)
    return images


def _is_id(value: Any) -> TypeGuard[int]:
    """Return whether it is a whole number that NumPy's largest type holds."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_ID


def _short(value: Any) -> str:
    return shortened(quoted(value), 80)
