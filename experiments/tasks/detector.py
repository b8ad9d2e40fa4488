"""torchvision's Faster R-CNN and Mask R-CNN on the stages of a network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock

from experiments.data.splits import Statistics
from experiments.tasks.backbone import Backbone, matcher
from roadmap.errors import Problem
from roadmap.head_layers import ASPECT_RATIOS, BOX_SIDE, MASK_SIDE
from roadmap.spec import Recipe
from roadmap.tasks import Detection
from roadmap.weight_layouts import BACKBONES

PREFIX, _ = BACKBONES
POINTS = 2  # a side, at which a region's features are read within each of its positions


def detector(
    network: nn.Module,
    recipe: Recipe,
    *,
    classes: int,
    statistics: Statistics,
    name: str = "this network",
) -> GeneralizedRCNN:
    """Return a detector on a classification network, which loses its classifier.

    It takes a list of images (3, height, width) from 0 to 1 and, in training, a list of dicts with
    `boxes` (n, 4), `labels` (n,) and, for Mask R-CNN, `masks` (n, height, width). Labels count from
    1: torchvision's 0 is the background. It resizes and normalizes the images. In training it
    returns a dict of losses, otherwise a list of dicts with `boxes`, `labels`, `scores` and
    `masks`, in pixels of the images as given. Raises Problem if the stages are no pyramid.
    """
    task = recipe.task
    assert isinstance(task, Detection)
    pyramid = Pyramid(Backbone(network, task, name), task)
    levels = [str(level) for level in range(len(pyramid.body.channels))]
    width, kinds = task.pyramid, classes + 1
    parts: dict[str, Any] = {
        "rpn_anchor_generator": AnchorGenerator(
            tuple((side,) for side in task.anchors), (ASPECT_RATIOS,) * len(task.anchors)
        ),
        "rpn_pre_nms_top_n_train": task.candidates[0],
        "rpn_pre_nms_top_n_test": task.candidates[1],
        "rpn_post_nms_top_n_train": task.proposals[0],
        "rpn_post_nms_top_n_test": task.proposals[1],
        "rpn_batch_size_per_image": task.sampled[0],
        "box_roi_pool": MultiScaleRoIAlign(levels, BOX_SIDE, POINTS),
        "box_head": TwoMLPHead(width * BOX_SIDE**2, task.box_features),
        "box_predictor": FastRCNNPredictor(task.box_features, kinds),
        "box_batch_size_per_image": task.sampled[1],
        "box_detections_per_img": task.detections,
    }
    if task.has_masks:
        parts |= {
            "mask_roi_pool": MultiScaleRoIAlign(levels, MASK_SIDE, POINTS),
            "mask_head": MaskRCNNHeads(width, (width,) * task.mask_convolutions, 1),
            "mask_predictor": MaskRCNNPredictor(width, width, kinds),
        }
    made = (_MaskDetector if task.has_masks else _BoxDetector)(pyramid, **parts)
    made.transform = Resized(recipe, task, statistics, pyramid.body.multiple)
    for part in (made.rpn.head, made.roi_heads.box_predictor, made.roi_heads.mask_predictor):
        if part is not None:
            part.register_forward_hook(_in_float32)
    return made


def _in_float32(module: nn.Module, arguments: object, output: Any) -> Any:
    """Return a module's output in float32.

    torchvision computes boxes in the type of these outputs. From 512 pixels on, bfloat16 has only
    every fourth coordinate.
    """
    if isinstance(output, Tensor):
        return output.float()
    return type(output)(_in_float32(module, arguments, part) for part in output)


class Pyramid(nn.Module):
    """A backbone with a feature pyramid: images (batch, 3, h, w) in, a dict of maps by level out.

    Levels beyond the stages take every second position of the level before.
    """

    def __init__(self, body: Backbone, task: Detection) -> None:
        super().__init__()
        further = len(task.anchors) - len(body.channels)
        self.body = body
        self.out_channels = task.pyramid
        self.fpn = FeaturePyramidNetwork(
            body.channels, task.pyramid, extra_blocks=Further(further) if further else None
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:  # noqa: D102
        features = enumerate(self.body(images))
        return self.fpn(OrderedDict((str(level), feature) for level, feature in features))


class Further(ExtraFPNBlock):
    """So many more levels of a pyramid, each torchvision's LastLevelMaxPool of the one before."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(  # noqa: D102
        self, results: list[Tensor], x: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        for _ in range(self.levels):
            results.append(nn.functional.max_pool2d(results[-1], kernel_size=1, stride=2))
            names.append(str(len(names)))
        return results, names


class Resized(GeneralizedRCNNTransform):
    """torchvision's resizing: a side drawn from `short_sides` in training, else `image_size`."""

    def __init__(
        self, recipe: Recipe, task: Detection, statistics: Statistics, multiple: int
    ) -> None:
        mean, std = list(statistics.mean), list(statistics.std)
        super().__init__(task.short_sides, task.long_side, mean, std, size_divisible=multiple)
        self.sides = {True: task.short_sides, False: (recipe.image_size,)}

    def resize(self, image: Tensor, target: Any = None) -> Any:
        """Resize an image and its target. Raises Problem if a side would be below one pixel."""
        height, width = image.shape[-2:]
        if min(height, width) * self.max_size < max(height, width):
            raise Problem(
                f"an image of {width} × {height} pixels is too narrow for a long side of "
                f"{self.max_size}"
            )
        return super().resize(image, target)

    @property
    def min_size(self) -> tuple[int, ...]:
        """The sides for training or for evaluation, as the module's mode says.

        It is no attribute set by `train`: Lightning sets modes without calling it.
        """
        return self.sides[self.training]

    @min_size.setter
    def min_size(self, given: object) -> None:
        """Ignore what torchvision sets."""


class _Detector:
    """What a detector shares with a classification network: groups of layers, and its last part."""

    backbone_prefix = PREFIX

    def group_matcher(self, coarse: bool = False) -> Callable[[str], tuple[int, ...]]:
        """Return a function from a parameter's name to its group: the backbone's, then the head."""
        module: Any = self
        return matcher(module.backbone.body.network, PREFIX, coarse)

    def get_classifier(self) -> tuple[nn.Module, ...]:
        """Return the head: all that is not of the classification network."""
        module: Any = self
        return (module.backbone.body.norms, module.backbone.fpn, module.rpn, module.roi_heads)


class _BoxDetector(_Detector, FasterRCNN):
    """Faster R-CNN on a row."""


class _MaskDetector(_Detector, MaskRCNN):
    """Mask R-CNN on a row."""
