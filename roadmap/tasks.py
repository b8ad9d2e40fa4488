"""What a recipe trains a network for, other than classification: values without torch.

The network's stages are then the backbone, and each task has heads of its own on their features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from roadmap.values import value

Side = Annotated[int, Field(ge=8, le=2**16)]
Count = Annotated[int, Field(ge=1, le=10**6)]
Width = Annotated[int, Field(ge=1, le=2**16)]
Share = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[float, Field(gt=0, le=100)]
Size = tuple[Side, Side]  # height and width in pixels
ANCHORS = (32, 64, 128, 256, 512)
LONGEST_CROPPED = 1333  # pixels of the long side of an image before DETR's crops


@value(strict=True)
class Detection:
    """Detect objects with torchvision's Faster R-CNN; with Mask R-CNN their masks too.

    A training image is resized so that its short side is one of `short_sides`, drawn for each
    image, and its long side at most `long_side`. The short side of validation images is the
    recipe's `image_size`. With `crops` half of the training images are cropped before, as in DETR:
    the short side becomes 400, 500 or 600 pixels, and a part of 384 to 600 pixels a side is kept.

    The feature pyramid has `pyramid` channels. Its levels are the stages, and one more for each
    further size in `anchors` (pixels a side, the finest level first). Of the regions that the first
    head finds, `candidates` of each level and then `proposals` of all levels are kept; both are
    (training, validation). The losses see `sampled` (anchors, proposals) of each image. The box
    head has two layers of `box_features`, the mask head `mask_convolutions` convolutions. An image
    has at most `detections`. `cost_size` is the (height, width) of the image whose cost is shown.
    """

    detection: Literal["faster_rcnn", "mask_rcnn"]
    short_sides: Annotated[tuple[Side, ...], Field(min_length=1, max_length=100)]
    long_side: Side = 1333
    crops: bool = False
    pyramid: Width = 256
    anchors: Annotated[tuple[Side, ...], Field(min_length=1, max_length=12)] = ANCHORS
    candidates: tuple[Count, Count] = (2000, 1000)
    proposals: tuple[Count, Count] = (1000, 1000)
    sampled: tuple[Count, Count] = (256, 512)
    box_features: Width = 1024
    mask_convolutions: Annotated[int, Field(ge=1, le=20)] = 4
    detections: Count = 100
    cost_size: Size = (800, 1280)

    @property
    def has_masks(self) -> bool:
        """Whether masks are detected too."""
        return self.detection == "mask_rcnn"

    @property
    def longest(self) -> int:
        """The least of the limits that a long side is resized to, in pixels.

        The short side of an image must not be below one pixel then.
        """
        return min(self.long_side, LONGEST_CROPPED) if self.crops else self.long_side


@value(strict=True)
class Segmentation:
    """Tell the class of every pixel, with UPerNet's head or that of a feature pyramid.

    A training image is resized so that its short side is `short_side` and its long side at most
    `long_side`, times a factor drawn from `scales`. A square of the recipe's `image_size` is cut
    out. No class fills more than `most_of_class` of it, if ten attempts find such a square. With
    `photometric` brightness, contrast, saturation and hue are changed at random.

    The head has `channels`, and `dropout` before the last layer. `auxiliary` is the weight of the
    loss of a second, convolutional head on the third stage; 0 leaves it out. A validation image is
    resized in the same way, without a factor. It is seen as a whole, or in squares of the recipe's
    `image_size` that start every `window_stride` pixels, whose logits are averaged. `cost_size` is
    the (height, width) of the image whose cost is shown.
    """

    segmentation: Literal["upernet", "fpn"]
    short_side: Side = 512
    long_side: Side = 2048
    scales: tuple[Scale, Scale] = (0.5, 2.0)
    most_of_class: Annotated[float, Field(gt=0, le=1)] = 0.75
    photometric: bool = True
    channels: Width = 512
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    auxiliary: Share = 0.4
    window_stride: Side | None = None
    cost_size: Size = (512, 2048)

    def __post_init__(self) -> None:
        if self.scales[0] > self.scales[1]:
            raise ValueError(f"scales {list(self.scales)} must rise")
        if self.segmentation == "fpn" and self.channels % 32:
            raise ValueError(f"channels {self.channels} must be a multiple of 32 for 'fpn'")


def _kind(task: object) -> str | None:
    """Return the name of the class that a recipe's `task` is or describes."""
    if isinstance(task, Mapping):
        known = {"detection": Detection, "segmentation": Segmentation}
        return next((kind.__name__ for key, kind in known.items() if key in task), None)
    return type(task).__name__ if isinstance(task, Detection | Segmentation) else None


Task = Detection | Segmentation
GivenTask = Annotated[
    Annotated[Detection, Tag("Detection")] | Annotated[Segmentation, Tag("Segmentation")],
    Discriminator(
        _kind,
        custom_error_type="task",
        custom_error_message="Input should be null, {detection: faster_rcnn or mask_rcnn, …} or "
        "{segmentation: upernet or fpn, …}",
    ),
]  # as a recipe gives it: a fault is told of the task that is named, not of the other one
TaskName = Literal["classification", "detection", "segmentation"]
TASKS: tuple[TaskName, ...] = ("classification", "detection", "segmentation")
MEASURE: dict[TaskName, str] = {
    "classification": "top1",
    "detection": "box_ap",
    "segmentation": "miou",
}  # by which rows are compared unless another one is named
EXAMPLES: dict[TaskName, str] = {
    "classification": "tiny-enhanced",
    "detection": "tiny-detection",
    "segmentation": "tiny-segmentation",
}  # a shipped recipe of each task
LABELS = {"top1": "top-1", "box_ap": "box AP", "miou": "mIoU"}


def main_number(numbers: Mapping[str, float], *, decimals: int) -> str:
    """Return the main measure of an epoch or run, as in `top-1 71.2 %`; empty if it has none."""
    for key, label in LABELS.items():
        if numbers.get(key) is not None:
            return f"{label} {numbers[key]:.{decimals}f} %"
    return ""


def name_of(task: Task | None) -> TaskName:
    """Return the name of a recipe's task; None stands for classification."""
    if task is None:
        return "classification"
    return "detection" if isinstance(task, Detection) else "segmentation"


def name_in(recipe: Mapping[str, object]) -> TaskName:
    """Return the name of the task of a record's recipe; ValueError if it is none of TASKS."""
    task = recipe.get("task")
    if task is None:
        return "classification"
    for name in TASKS:
        if isinstance(task, Mapping) and name in task:
            return name
    raise ValueError("task must be detection or segmentation")
