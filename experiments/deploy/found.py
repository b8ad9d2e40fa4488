"""What a detector or a segmenter says of images, as CSV, JSON and drawn files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from experiments.data.scene import UNLABELLED
from experiments.deploy.drawn import draw
from experiments.tasks.average_precision import Detections, encoded
from roadmap.errors import escaped
from roadmap.files import put_bytes
from roadmap.json_text import json_text
from roadmap.tasks import TaskName

Found = Detections | numpy.ndarray  # the objects of an image, or the class of every pixel


def render_found(
    paths: Sequence[str],
    found: Sequence[Found],
    names: Sequence[str],
    format: str,
    *,
    task: TaskName,
) -> str:
    """Return predictions as `csv` or `json`, in the order of the images.

    CSV has a line for each detection: image, class, score, and left, top, right, bottom in pixels
    of the image. Of a label map it has a line for each class that occurs: image, class, pixels and
    share. JSON has an object for each image; masks are COCO's compressed run lengths.
    """
    pairs = list(zip(paths, found, strict=True))
    if format == "json":
        told = [{"image": path, **_plain(one, names)} for path, one in pairs]
        return json_text(told)
    objects = task == "detection"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("score", "x1", "y1", "x2", "y2") if objects else ("pixels", "share")
    writer.writerow(["image", "class", *columns])
    for path, one in pairs:
        rows = _plain(one, names)["detections" if objects else "classes"]
        for row in rows:
            numbers = (row["score"], *row["box"]) if objects else (row["pixels"], row["share"])
            writer.writerow([escaped(path), escaped(row["class"]), *numbers])
    return text.getvalue().rstrip("\n")


def _plain(found: Found, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    if isinstance(found, Detections):
        return {"detections": _objects(found, names)}
    known = found[found != UNLABELLED]
    labels, counts = numpy.unique(known, return_counts=True)
    classes = [
        {"class": names[int(label)], "pixels": int(count), "share": round(count / known.size, 6)}
        for label, count in zip(labels, counts.tolist(), strict=True)
    ]
    return {"classes": sorted(classes, key=lambda each: -each["pixels"])}


def _objects(found: Detections, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the detections of an image, the surest first; coordinates have two decimals."""
    masks: Sequence[Mapping[str, Any]] | None = None
    if found.masks is not None:
        is_array = isinstance(found.masks, numpy.ndarray)
        masks = encoded(numpy.asarray(found.masks)) if is_array else list(found.masks)
    rows = []
    for place in numpy.argsort(-numpy.asarray(found.scores), kind="stable").tolist():
        row = {
            "class": names[int(found.labels[place])],
            "score": round(float(found.scores[place]), 6),
            "box": [round(float(side), 2) for side in found.boxes[place]],
        }
        if masks is not None:
            counts = masks[place]["counts"]
            size = [int(side) for side in masks[place]["size"]]
            text = counts.decode() if isinstance(counts, bytes) else counts
            row["mask"] = {"size": size, "counts": text}
        rows.append(row)
    return rows


ENDING = {"detection": "objects", "segmentation": "regions"}  # of the names of drawn files
LONGEST = 200  # bytes of an image's name; file systems have 255 for it, numbers and endings


def drawn_paths(paths: Iterable[str], folder: Path, task: str) -> list[Path]:
    """Return a file in `folder` for each image; equal names get a number.

    It is `NAME-objects.png` for detection and `NAME-regions.png` for segmentation. Names above
    LONGEST bytes are cut.
    """
    taken: set[str] = set()
    made = []
    for path in paths:
        stem = Path(path).stem
        while len(os.fsencode(stem)) > LONGEST:
            stem = stem[:-1]
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        made.append(folder / f"{name}-{ENDING[task]}.png")
    return made


def write_drawn(
    image: Image.Image, found: Found, names: Sequence[str], path: Path | None
) -> list[Path]:
    """Draw an image's predictions into a PNG file, if one is named; return what was written.

    Of a label map a second file, `NAME-classes.png`, has the number of the class of each pixel.
    """
    if path is None:
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_png(draw(image, found, names), path)
    if isinstance(found, Detections):
        return [path]
    classes = path.with_name(f"{path.stem.removesuffix('-regions')}-classes.png")
    _write_png(Image.fromarray(found.astype(numpy.uint8)), classes)
    return [path, classes]


def _write_png(image: Image.Image, path: Path) -> None:
    content = io.BytesIO()
    image.save(content, "PNG")
    put_bytes(path, content.getbuffer())
