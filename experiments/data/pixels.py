"""What a classifier that learns nothing gets on a data set: references for every accuracy.

Images are compared as 24 × 24 grey pixels, as they are and with each image's mean and contrast
removed; the better of the two counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy
from PIL import Image

from experiments.data.cache import cache_folder
from experiments.data.splits import DataSet, Split
from roadmap.files import put_text, read_text

SIDE = 24
MOST_BYTES = 100_000  # of the kept percentages
MOST = {"train": 10_000, "val": 2_000}  # images compared, spread over the split
VERSION = 1  # part of the file's name: raise it if a number can change


def pixel_references(data: DataSet, cache: Path | None = None) -> dict[str, float]:
    """Return percentages of validation images; they are computed once per data set and kept.

    `nearest_neighbour` takes the class of the nearest training image, `nearest_mean` that of the
    nearest mean over a class. Both use at most 10,000 training and 2,000 validation images.
    """
    folder = (cache or cache_folder()) / "references"
    skipped = f"-{data.skipped}" if data.skipped else ""
    path = folder / f"{data.source.fingerprint}{skipped}-v{VERSION}.json"
    try:
        kept = json.loads(read_text(path, limit=MOST_BYTES))
        return {key: float(kept[key]) for key in ("nearest_neighbour", "nearest_mean")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    made = compare(data)
    folder.mkdir(parents=True, exist_ok=True)
    put_text(path, json.dumps(made) + "\n")
    return made


def compare(data: DataSet) -> dict[str, float]:
    """Compute the percentages of `pixel_references`."""
    (train, labels), (val, truth) = (
        _grey(split, MOST[name]) for name, split in (("train", data.train), ("val", data.val))
    )
    accuracies: Mapping[str, list[float]] = {"nearest_neighbour": [], "nearest_mean": []}
    known = numpy.unique(labels)
    for change in (lambda pixels: pixels, _without_contrast):
        near, far = change(train), change(val)
        means = numpy.stack([near[labels == label].mean(0) for label in known])
        for key, points, classes in (
            ("nearest_neighbour", near, labels),
            ("nearest_mean", means, known),
        ):
            right = classes[_nearest(points, far)] == truth
            accuracies[key].append(round(100 * float(right.mean()), 2))
    return {key: max(values) for key, values in accuracies.items()}


def _grey(split: Split, most: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return pixels float32 (n, 576) and labels (n,) of at most `most` images."""
    count = min(most, len(split))
    places = numpy.arange(count) * len(split) // count
    box = Image.Resampling.BOX
    pixels = [
        numpy.asarray(split.image(int(place)).convert("L").resize((SIDE, SIDE), box))
        for place in places
    ]
    return numpy.stack(pixels).reshape(count, -1).astype(numpy.float32), split.labels[places]


def _without_contrast(pixels: numpy.ndarray) -> numpy.ndarray:
    moved = pixels - pixels.mean(1, keepdims=True)
    return moved / numpy.maximum(numpy.linalg.norm(moved, axis=1, keepdims=True), 1e-6)


def _nearest(points: numpy.ndarray, asked: numpy.ndarray, block: int = 250) -> numpy.ndarray:
    """Return, for each asked point, the index of the nearest of `points`."""
    squares = (points**2).sum(1)
    parts = [asked[start : start + block] for start in range(0, len(asked), block)]
    return numpy.concatenate([(squares - 2 * part @ points.T).argmin(1) for part in parts])
