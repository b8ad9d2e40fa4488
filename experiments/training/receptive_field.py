"""The effective receptive field of a network: the part of an image that its features react to.

Luo et al. 2016, "Understanding the Effective Receptive Field in Deep Convolutional Neural
Networks", arXiv 1701.04128. It is the gradient of one position of the last stage's features with
respect to the input, over validation images. The images are mirrored on all sides to fill a square
larger than the field, so their size cuts nothing off. Weights that no training image has reached do
not count: see `as_trained`.

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
from roadmap.plan import Layer, plan
from roadmap.receptive_field import ReceptiveField
from roadmap.spec import Network, Recipe

IMAGES, CELLS = 16, 64  # number of validation images; cells per side of the stored field
# Pixels per side of the field: `tiny` has fields of up to 300 pixels, though its images have 48.
LEAST, TIMES = 384, 3  # and at least this many times the side of the training images


def receptive_field(
    network: nn.Module,
    data: DataSet,
    recipe: Recipe,
    device: torch.device,
    say: Callable[[str], None],
) -> ReceptiveField | None:
    """Return the field of a trained network over some of the validation images.

    None for a timm model, whose features have a layout of their own. Also None, with a line that
    says why, if it cannot be measured: a user's own operation may work for one image size only.
    """
    if not isinstance(network, RoadmapNetwork):
        return None
    count = min(IMAGES, len(data.val))
    spread = [number * len(data.val) // count for number in range(count)]  # ordered by class
    images, _ = Evaluated(
        data.val, recipe, data.statistics(recipe), hold=False, size=recipe.image_size
    )[spread]
    try:
        return measured_field(network.to(device), images.to(device))
    except Exception as fault:  # the run is done, and its record matters more
        say(f"no receptive field: {' '.join(str(fault).split()) or type(fault).__name__}")
        return None


def measured_field(network: RoadmapNetwork, images: Tensor) -> ReceptiveField:
    """Return the field of a network over images of the size that it was trained on.

    Raises ValueError if it is 0 or not finite.
    """
    size = images.shape[-1]
    pixels = ceil(max(LEAST, TIMES * size) / CELLS)
    field = gradient(as_trained(network, size), images, CELLS * pixels)
    cells = field.reshape(CELLS, pixels, CELLS, pixels).sum((1, 3))
    return ReceptiveField.of(cells.tolist(), pixels)


def as_trained(network: RoadmapNetwork, image_size: int) -> RoadmapNetwork:
    """Return a copy without the kernel weights that only meet padding in images of this size.

    Of 7×7 weights over a map of 2×2, training changes the inner 3×3. The others still have their
    initial values, and they would act on a larger image. On images of this size both networks
    compute the same.
    """
    network = copy.deepcopy(network)
    for layer in plan(network.spec, image_size).layers():
        if layer.kind == "convolution":
            columns = layer.columns or layer.kernel
            rows_met = _met(layer, layer.kernel, layer.padding, side=1)
            columns_met = _met(layer, columns, layer.column_padding, side=2)
            weight = network.get_parameter(f"{layer.name}.weight")
            weight.data *= (rows_met[:, None] & columns_met).to(weight.device)
    return network


def _met(layer: Layer, kernel: int, padding: int, *, side: int) -> Tensor:
    """Return which positions along one side of a kernel meet more than padding: (kernel,)."""
    starts = torch.arange(layer.outputs[side]) * layer.stride - padding
    met = starts[:, None] + torch.arange(kernel)  # output positions, along the kernel
    return ((met >= 0) & (met < layer.inputs[side])).any(0)


def gradient(network: RoadmapNetwork, images: Tensor, field: int) -> Tensor:
    """Return the mean absolute gradient of one position of the last features: (field, field).

    It is summed over the colours of the input and the channels of the features. The network is in
    evaluation mode and sees one image at a time, which bounds the memory. No random number is
    drawn, and no gradient stays behind.
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
            (gradients,) = torch.autograd.grad(seen, pixels)
            total += gradients.abs().sum((0, 1)).cpu() / len(images)
    finally:
        network.train(was_training)
    inside = slice(aim.start, aim.start + field)
    return total[inside, inside]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Where to look: at `position` of the last features, of an input of `side` pixels.

    `middle` is the centre of the position's window, in pixels of the input from its edge. A 3×3
    convolution of stride 2 is centred half a pixel up and left of the middle of its input; five of
    them are 15.5 pixels off. `start` is the first pixel of the field around it.
    """

    side: int
    position: int
    middle: float
    start: int

    @classmethod
    def of(cls, network: Network, field: int) -> Aim:
        """Return the position nearest to the middle of an input that holds the field around it."""
        planned = plan(network)
        stages = (
            chain(stage.downsampling, *(block.branch for block in stage.blocks))
            for stage in planned.stages
        )
        first, stride = 0.5, 1  # the middle of the first position, and the distance to the next
        for layer in reversed([*planned.stem, *chain.from_iterable(stages)]):
            # Position p of a layer's output is a window over its input, from p × stride - padding.
            first = (first - 0.5) * layer.stride - layer.padding + layer.kernel / 2
            stride *= layer.stride
        side = stride * ceil(field / stride + 1)
        position = round((side / 2 - first) / stride)
        middle = first + stride * position
        return cls(side=side, position=position, middle=middle, start=_around(middle, field))


def _around(middle: float, size: int) -> int:
    """Return the first of `size` pixels around `middle`, to half a pixel."""
    return floor(middle - size / 2 + 0.5)


def mirrored(images: Tensor, side: int, middle: float) -> Tensor:
    """Return images (batch, colours, side, side) with these in the middle, mirrored around them.

    At an edge the outermost pixel is repeated, then the one next to it.
    """
    size = images.shape[-1]
    places = torch.arange(side, device=images.device) - _around(middle, size)
    places %= 2 * size
    places = torch.where(places < size, places, 2 * size - 1 - places)
    return images[:, :, places][:, :, :, places].contiguous(memory_format=torch.channels_last)
