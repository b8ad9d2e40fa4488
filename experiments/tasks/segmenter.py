"""segmentation-models-pytorch's UPerNet and FPN decoders on the stages of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from experiments.tasks.backbone import Backbone, matcher
from roadmap.errors import Problem
from roadmap.head_layers import AUXILIARY
from roadmap.spec import Recipe
from roadmap.tasks import Segmentation
from roadmap.weight_layouts import BACKBONES

_, PREFIX = BACKBONES
EXTRA = "segmentation needs a package: pip install 'modernization-roadmap[tasks]'"


def segmenter(
    network: nn.Module, recipe: Recipe, *, classes: int, name: str = "this network"
) -> Segmenter:
    """Return a segmentation network on a classification network, which loses its classifier.

    Raises Problem if the network's stages do not fit the head, or a package is missing.
    """
    task = recipe.task
    assert isinstance(task, Segmentation)
    return Segmenter(Backbone(network, task, name), task, classes)


class Segmenter(nn.Module):
    """Give each pixel logits: normalized images (batch, 3, h, w) in, (batch, classes, h, w) out.

    In training the result is a pair: these logits, and those of the auxiliary head of the same
    shape, or None if there is no such head. An image of any size is padded at its right and lower
    edge with zeros, and the logits are cut to its size.
    """

    backbone_prefix = PREFIX

    def __init__(self, backbone: Backbone, task: Segmentation, classes: int) -> None:
        super().__init__()
        self.task = task
        self.backbone = backbone
        self.decoder = _decoder(backbone.channels, task)
        self.dropout = nn.Dropout2d(task.dropout) if task.segmentation == "upernet" else None
        self.classifier = nn.Conv2d(task.channels, classes, 1)
        self.auxiliary = _auxiliary(backbone.channels[-2], task, classes)
        _initialize(self.decoder, self.classifier, self.auxiliary)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor | None]:  # noqa: D102
        if self.training and len(images) == 1 and self.task.segmentation == "upernet":
            raise Problem(
                "the norms of 'upernet' need two images in each micro-batch; use a larger batch or "
                "fewer micro-batches and devices"
            )
        size = images.shape[-2:]
        down, right = (-side % self.backbone.multiple for side in size)
        features = self.backbone(nn.functional.pad(images, (0, right, 0, down)))
        whole = (size[0] + down, size[1] + right)

        def enlarged(logits: Tensor) -> Tensor:
            made = nn.functional.interpolate(logits, whole, mode="bilinear", align_corners=False)
            return made[..., : size[0], : size[1]]

        # The decoders expect features at the full and the half resolution first, and skip them.
        decoded = self.decoder([images, images, *features])
        if self.dropout is not None:
            decoded = self.dropout(decoded)
        logits = enlarged(self.classifier(decoded))
        if not self.training:
            return logits
        return logits, self._auxiliary_logits(features, enlarged)

    def _auxiliary_logits(
        self, features: Sequence[Tensor], enlarged: Callable[[Tensor], Tensor]
    ) -> Tensor | None:
        if self.auxiliary is None:
            return None
        feature = features[-2]
        if self.task.segmentation == "upernet":  # the norm of this stage is the decoder's
            norms: Any = self.decoder.feature_norms
            feature = norms[-2](feature)
        return enlarged(self.auxiliary(feature))

    def group_matcher(self, coarse: bool = False) -> Callable[[str], tuple[int, ...]]:
        """Return a function from a parameter's name to its group: the backbone's, then the head."""
        return matcher(self.backbone.network, PREFIX, coarse)

    def get_classifier(self) -> tuple[nn.Module, ...]:
        """Return the head: all that is not of the classification network."""
        parts = (self.backbone.norms, self.decoder, self.classifier, self.auxiliary)
        return tuple(part for part in parts if part is not None)


def _decoder(channels: Sequence[int], task: Segmentation) -> nn.Module:
    try:
        from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
        from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
    except ImportError as error:
        raise Problem(EXTRA) from error
    widths = [3, 3, *channels]
    if task.segmentation == "upernet":
        return UPerNetDecoder(widths, max(3, len(channels)), decoder_channels=task.channels)
    return FPNDecoder(
        widths,
        pyramid_channels=task.channels,
        segmentation_channels=task.channels,
        dropout=task.dropout,
    )


def _auxiliary(channels: int, task: Segmentation, classes: int) -> nn.Sequential | None:
    """Return the convolutional head that only training uses; None without it."""
    if not task.auxiliary:
        return None
    convolution = nn.Conv2d(channels, AUXILIARY, 3, padding=1, bias=False)
    return nn.Sequential(
        nn.Sequential(convolution, nn.BatchNorm2d(AUXILIARY), nn.ReLU(inplace=True)),
        nn.Dropout2d(task.dropout),
        nn.Conv2d(AUXILIARY, classes, 1),
    )


@torch.no_grad()
def _initialize(decoder: nn.Module, *others: nn.Module | None) -> None:
    """Draw first weights by the library's rules: one for decoders, one for all other parts."""
    from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head

    initialize_decoder(decoder)
    for other in others:
        if other is not None:
            initialize_head(other)
