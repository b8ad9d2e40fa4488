"""What a network costs as the backbone of detection or segmentation, with the head. No torch here.

The counting rule is that of `cost`, for one image in inference, padded to a multiple of 32 pixels a
side. `head_layers` says how many regions count. Layers that only training uses have parameters and
no multiply-accumulates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import lcm

from roadmap.cost import Cost, LayerCost, cost, total
from roadmap.errors import Problem
from roadmap.head_layers import head_layers
from roadmap.kinds import NORMS
from roadmap.plan import Layer, Layers, Shape, Size, plan
from roadmap.spec import Network, Reference, Spec
from roadmap.tasks import Detection, Segmentation, Task, name_of

PADDING = 32  # image sides are padded to a multiple of it, as in both libraries
FPN_STAGES = 4


@dataclass(frozen=True, kw_only=True)
class TaskCost:
    """The cost of a backbone (stem and stages, no classifier) and of a head, for one image.

    `size` is (height, width) of the image before padding.
    """

    backbone: Cost
    head: Cost
    size: tuple[int, int]

    @property
    def layers(self) -> tuple[LayerCost, ...]:
        """The layers of both."""
        return self.backbone.layers + self.head.layers

    @property
    def macs(self) -> int:
        """Multiply-accumulates of both."""
        return self.backbone.macs + self.head.macs

    @property
    def params(self) -> int:
        """Parameters of both."""
        return self.backbone.params + self.head.params

    @property
    def activations(self) -> int:
        """Output elements of convolution and linear layers of both."""
        return self.backbone.activations + self.head.activations


def task_cost(
    spec: Spec, image_size: Size | None = None, *, classes: int | None = None
) -> TaskCost:
    """Return what a spec with a task costs for an image, by default of its task's `cost_size`.

    `classes` are by default the network's; the ground of detection is none of them. Raises Problem
    if the network's stages do not fit the head, or if it is one of timm's.
    """
    network, task = spec.network, spec.recipe.task
    assert task is not None
    if isinstance(network, Reference):
        raise Problem(f"timm:{network.timm} has no spec to walk; its cost is measured in its runs")
    size = image_size or task.cost_size
    size = (size, size) if isinstance(size, int) else size
    try:
        return _remembered(network, task, size, classes or network.classes)
    except TypeError:  # an operation's parameters cannot be a key
        return _walk(network, task, size, classes or network.classes)


def spec_cost(spec: Spec, image_size: int | None = None) -> Cost | TaskCost:
    """Return what a spec costs: for an image of the recipe, or of the task's `cost_size`.

    `image_size` is in pixels a side, in place of these.
    """
    if spec.recipe.task is not None:
        return task_cost(spec, image_size)
    return cost(spec.network, image_size or spec.recipe.image_size)


def _walk(network: Network, task: Task, size: tuple[int, int], classes: int) -> TaskCost:
    layers, shapes = backbone_layers(network, task, size)
    head = head_layers(shapes, task, classes)
    return TaskCost(backbone=total(layers), head=total(head), size=size)


_remembered = lru_cache(maxsize=256)(_walk)


def check_stages(reductions: Sequence[int], task: Task, name: str = "this network") -> None:
    """Raise Problem unless stages that divide the image by `reductions` fit the task's head."""
    what, shown = name_of(task), ", ".join(map(str, reductions))
    if len(reductions) < 2 or any(2 * fine != coarse for fine, coarse in pairwise(reductions)):
        raise Problem(
            f"{name} lacks a pyramid of features for {what}: its stages divide the image by "
            f"{shown or 'nothing'}; each stage must halve the resolution of the one before"
        )
    if isinstance(task, Segmentation):
        if task.segmentation == "fpn" and len(reductions) != FPN_STAGES:
            raise Problem(
                f"segmentation 'fpn' needs {FPN_STAGES} stages; {name} has {len(reductions)}. "
                "Use 'upernet'"
            )
    elif len(task.anchors) < len(reductions):
        raise Problem(
            f"anchors {list(task.anchors)} are fewer than the {len(reductions)} stages of {name}; "
            "give one size for each stage, and one more for each further level"
        )


def multiple(reductions: Sequence[int]) -> int:
    """Return of how many pixels the sides of an image must be multiples."""
    return lcm(PADDING, reductions[-1])


def padded(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the height and width of an image that is padded to multiples of `side`."""
    height, width = (-(-length // side) * side for length in size)
    return height, width


def has_norms(task: Task) -> bool:
    """Return whether a norm after each stage is the backbone's: UPerNet's head brings its own."""
    return isinstance(task, Detection) or task.segmentation != "upernet"


def backbone_layers(
    network: Network, task: Task, size: tuple[int, int]
) -> tuple[Layers, tuple[Shape, ...]]:
    """Return the layers of stem, stages and the norms after stages; and the stages' features.

    Raises Problem if the stages do not fit the task.
    """
    reductions = _reductions(network)
    check_stages(reductions, task)
    planned = plan(network, padded(size, multiple(reductions)))
    shapes = tuple(list(stage.layers())[-1].outputs for stage in planned.stages)
    layers = list(dataclasses.replace(planned, head=()).layers())
    if network.head_norm and has_norms(task):
        kind = NORMS[network.head_norm]
        layers += [
            Layer(name=f"norms.{index}", kind=kind, inputs=shape, outputs=shape)
            for index, shape in enumerate(shapes)
        ]
    return tuple(layers), shapes


def _reductions(network: Network) -> list[int]:
    side = 2**12  # a power of two: each stage divides it without rest, if its stride is one
    stages = plan(network, side).stages
    return [side // list(stage.layers())[-1].outputs[1] for stage in stages]
