"""The effective receptive field of a network: which part of an image its features really see.

Luo et al. 2016, "Understanding the Effective Receptive Field in Deep Convolutional Neural
Networks", arXiv 1701.04128. The gradient of one position of the last stage's features is taken with
respect to the input, on validation images, which are mirrored on all sides to fill a square that
the field does not leave: the size of the training images cuts nothing off. What no training image
has reached is no part of it: see `as_trained`.

Dimensions: images (images, 3, size, size); features (1, channels, rows, columns).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from math import ceil, floor

import torch
from torch import Tensor, nn

from experiments.data.splits import DataSet
from experiments.loading.views import Evaluated
from roadmap.network import RoadmapNetwork
from roadmap.plan import plan
from roadmap.receptive_field import ReceptiveField
from roadmap.spec import Network, Recipe

IMAGES, CELLS = 16, 64  # how many of the validation images; how fine the field is kept
# Pixels a side that it covers: the tiny roadmap's fields go on to 300, though its images have 48.
LEAST, TIMES = 384, 3  # and at least so many times the side of the training images


def receptive_field(
    network: nn.Module,
    data: DataSet,
    recipe: Recipe,
    device: torch.device,
    say: Callable[[str], None],
) -> ReceptiveField | None:
    """The field of a trained network over some of the validation images.

    None for a timm model, whose features have a layout of their own, and, with a line that says
    why, where it cannot be measured: an operation of the user's own may be made for one image size.
    """
    if not isinstance(network, RoadmapNetwork):
        return None
    count = min(IMAGES, len(data.val))
    spread = [number * len(data.val) // count for number in range(count)]  # they lie class by class
    images, _ = Evaluated(data.val, recipe, data.statistics(recipe), hold=False)[spread]
    try:
        return measured_field(network.to(device), images.to(device))
    except Exception as fault:  # the run is done, and its record matters more
        say(f"no receptive field: {' '.join(str(fault).split()) or type(fault).__name__}")
        return None


def measured_field(network: RoadmapNetwork, images: Tensor) -> ReceptiveField:
    """The field of a network over these images, which have the size of those it was trained on.

    Raises ValueError where it is 0 or no number.
    """
    size = images.shape[-1]
    pixels = ceil(max(LEAST, TIMES * size) / CELLS)
    found = gradient(as_trained(network, size), images, CELLS * pixels)
    cells = found.reshape(CELLS, pixels, CELLS, pixels).sum((1, 3))
    return ReceptiveField.of(cells.tolist(), pixels)


def as_trained(network: RoadmapNetwork, image_size: int) -> RoadmapNetwork:
    """A copy without the weights of kernels that meet nothing but padding in such images.

    Of 7×7 weights over a map of 2×2, training moves the inner 3×3. The others are still as they
    were drawn, and a larger image would be seen through them; on images of this size both networks
    compute the same.
    """
    network = copy.deepcopy(network)
    for layer in plan(network.spec, image_size).layers():
        if layer.kind == "convolution":
            starts = torch.arange(layer.outputs[1]) * layer.stride - layer.padding
            met = starts[:, None] + torch.arange(layer.kernel)  # positions out, along the kernel
            inside = ((met >= 0) & (met < layer.inputs[1])).any(0)
            weight = network.get_submodule(layer.name).weight
            weight.data *= (inside[:, None] & inside).to(weight.device)
    return network


def gradient(network: RoadmapNetwork, images: Tensor, field: int) -> Tensor:
    """The mean absolute gradient of one position of the last features: (field, field) pixels.

    Summed over the colours of the input and the channels of the features. In evaluation mode and
    image by image, which bounds the memory; draws no random number, leaves no gradient behind.
    """
    aim = Aim.of(network.spec, field)
    total = torch.zeros(aim.side, aim.side, dtype=torch.float64)
    was_training = network.training
    network.eval()
    try:
        for image in images.split(1):
            pixels = mirrored(image, aim.side, aim.middle).requires_grad_()
            features = network.forward_features(pixels)
            seen = features[:, :, aim.position, aim.position].sum()
            (found,) = torch.autograd.grad(seen, pixels)
            total += found.abs().sum((0, 1)).cpu() / len(images)
    finally:
        network.train(was_training)
    inside = slice(aim.start, aim.start + field)
    return total[inside, inside]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Where to look: at `position` of the last features, of an input of `side` pixels.

    `middle` is what the position is centred on, in pixels of the input from its edge: 3×3
    convolutions of stride 2 look half a pixel up and left of the middle of what they halve, and
    five of them 15.5 pixels. `start` is the first pixel of the field around it.
    """

    side: int
    position: int
    middle: float
    start: int

    @classmethod
    def of(cls, network: Network, field: int) -> Aim:
        """The position nearest to the middle of an input that holds the field around it."""
        planned = plan(network)
        stages = (chain(each.downsampling, *(block.branch for block in each.blocks))
                  for each in planned.stages)  # fmt: skip
        first, stride = 0.5, 1  # the middle of the first position, and from each to the next
        for layer in reversed([*planned.stem, *chain.from_iterable(stages)]):
            # Position p of a layer's output is a window over its input, from p × stride - padding.
            first = (first - 0.5) * layer.stride - layer.padding + layer.kernel / 2
            stride *= layer.stride
        side = stride * ceil(field / stride + 1)
        position = round((side / 2 - first) / stride)
        middle = first + stride * position
        return cls(side=side, position=position, middle=middle, start=_around(middle, field))


def _around(middle: float, size: int) -> int:
    """Where `size` pixels begin that have `middle` in their middle, to half a pixel."""
    return floor(middle - size / 2 + 0.5)


def mirrored(images: Tensor, side: int, middle: float) -> Tensor:
    """Images (batch, colours, side, side) with these in the middle, mirrored on as often as needed.

    At an edge the outermost pixel is repeated, then the one next to it.
    """
    size = images.shape[-1]
    places = torch.arange(side, device=images.device) - _around(middle, size)
    places %= 2 * size
    places = torch.where(places < size, places, 2 * size - 1 - places)
    found = images[:, :, places][:, :, :, places]
    return found.contiguous(memory_format=torch.channels_last)
