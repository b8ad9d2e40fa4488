"""Classify images with a finished run."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch

from experiments.data.files import File
from experiments.data.images import BrokenImage
from experiments.data.splits import split_of_files
from experiments.deploy.finished import Finished, open_finished
from experiments.loading.views import Evaluated
from experiments.request import Request
from roadmap.errors import escaped
from roadmap.json_text import json_text

BATCH = 64  # images


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Probabilities (images, classes) of the images at `paths`; messages of the `broken` ones."""

    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    probabilities: numpy.ndarray
    broken: tuple[str, ...]


def predict(request: Request, files: Sequence[File]) -> Predictions:
    """Return what a finished run says of images; a broken image is left out and named.

    Images are resized and cut as in validation. Raises Problem if the run is not finished.
    """
    run = open_finished(request)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = run.network.to(memory_format=torch.channels_last).to(device)
    paths: list[str] = []
    broken: list[str] = []
    parts: list[numpy.ndarray] = []
    for start in range(0, len(files), BATCH):
        images = []
        for file in files[start : start + BATCH]:
            try:
                images.append(_opened(run, file))
                paths.append(file.location)
            except (BrokenImage, OSError, ValueError) as fault:
                broken.append(str(fault))
        if images:
            with torch.inference_mode():
                logits = network(torch.cat(images).to(device)).float()
            parts.append(logits.softmax(1).cpu().numpy())
    empty = numpy.zeros((0, len(run.class_names)), dtype=numpy.float32)
    return Predictions(
        class_names=run.class_names,
        paths=tuple(paths),
        probabilities=numpy.concatenate([empty, *parts]),
        broken=tuple(broken),
    )


def _opened(run: Finished, file: File) -> torch.Tensor:
    """Return one image (1, 3, size, size), as in validation."""
    split = split_of_files(((file, 0),))
    images, _ = Evaluated(split, run.spec.recipe, run.statistics, hold=False)[[0]]
    return images


def render(answer: Predictions, format: str) -> str:
    """Return predictions as `csv` or `json`: per image its class, and all probabilities.

    A CSV column that holds the probabilities of a class has the name of the class. Probabilities
    are rounded to six decimals.
    """
    best = answer.probabilities.argmax(1) if len(answer.paths) else []
    rows = [
        (path, answer.class_names[index], [round(float(each), 6) for each in shares])
        for path, index, shares in zip(answer.paths, best, answer.probabilities, strict=True)
    ]
    if format == "json":
        data = [
            {
                "image": path,
                "class": name,
                "probability": max(shares),
                "probabilities": dict(zip(answer.class_names, shares, strict=True)),
            }
            for path, name, shares in rows
        ]
        return json_text(data)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "class", "probability", *map(escaped, answer.class_names)])
    writer.writerows(
        [escaped(path), escaped(name), max(shares), *shares] for path, name, shares in rows
    )
    return text.getvalue().rstrip("\n")
