"""What a finished detector or segmenter says of images, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy
import torch
from PIL import Image

from experiments.data.files import File
from experiments.data.images import BrokenImage
from experiments.data.scene import UNLABELLED
from experiments.data.splits import Split, held_split, split_of_files
from experiments.deploy.finished import Finished
from experiments.deploy.found import Found
from experiments.loading.loaders import evaluation_views
from experiments.tasks.detection import DetectionTask
from experiments.tasks.segmentation import SegmentationTask
from roadmap.errors import Problem
from roadmap.tasks import Detection


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An image and what was found in it; a broken image has neither, but a message."""

    path: str
    image: Image.Image | None = None
    found: Found | None = None
    broken: str = ""


def predict_scenes(run: Finished, files: Sequence[File]) -> Iterator[Scene]:
    """Yield what a finished run finds in each image, prepared as in validation."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = _task(run).to(device)
    for file in files:
        try:
            image = split_of_files(((file, 0),)).image(0)
        except (BrokenImage, OSError, ValueError) as fault:
            yield Scene(path=str(file), broken=str(fault))
            continue
        views = evaluation_views(_alone(image), run.spec.recipe, run.statistics)
        try:
            with torch.inference_mode():
                (found,) = task.predicted(views[[0]], device).values()
        except Problem as fault:
            yield Scene(path=str(file), broken=f"image {file}: {fault}")
            continue
        yield Scene(path=file.location, image=image, found=found)


def _alone(image: Image.Image) -> Split:
    """Return a split of one image; no pixel of it has a label."""
    split = held_split([numpy.asarray(image)], numpy.zeros(1, dtype=numpy.int64))
    nothing = numpy.full((image.height, image.width), UNLABELLED, dtype=numpy.uint8)
    return replace(split, label_map=lambda _: nothing)


def _task(run: Finished) -> DetectionTask | SegmentationTask:
    """Return the Lightning task of the run around its network, to be validated only."""
    recipe, classes = run.spec.recipe, run.spec.network.classes
    nothing = held_split([], numpy.zeros(0, dtype=numpy.int64))
    shared: dict[str, Any] = {
        "validation": nothing, "classes": classes, "steps_per_epoch": 1, "seed": 0,
    }  # fmt: skip
    if isinstance(recipe.task, Detection):
        return DetectionTask(run.network, recipe, **shared)
    return SegmentationTask(run.network, recipe, class_names=run.class_names, **shared)
