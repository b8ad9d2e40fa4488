"""A classification network as a backbone: the features of its stages, and nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from timm.models import group_parameters
from torch import Tensor, nn

from roadmap.errors import Problem, shortened
from roadmap.heads import check_stages, has_norms, multiple
from roadmap.kinds import NORMS
from roadmap.layers import ChannelNorm, norm_or_activation
from roadmap.network import RoadmapNetwork, build
from roadmap.spec import Reference, Spec
from roadmap.tasks import Task

FINEST = 4  # timm's models also offer features at half the resolution, which no head wants
TRIED = (64, 96)  # height and width of the image that a timm model is tried with


class Backbone(nn.Module):
    """The stages of a classification network, built before, perhaps with weights.

    (batch, 3, height, width) in; a list of (batch, channels, rows, columns) out, from fine to
    coarse. A norm follows each stage if the network has one before its classifier and the task's
    head does not bring its own. The classifier and other unused parts are removed from `network`.
    Raises Problem if its stages are no pyramid that the task's head can use.
    """

    def __init__(self, network: nn.Module, task: Task, name: str = "this network") -> None:
        super().__init__()
        info = _stages(network, name)
        self.places = [place for place, _, _ in info]
        self.channels = [channels for _, channels, _ in info]
        self.reductions = [reduction for _, _, reduction in info]
        check_stages(self.reductions, task, name)
        self.multiple = multiple(self.reductions)
        norm = _norm(network) if has_norms(task) else None
        self.network = network
        if isinstance(network, RoadmapNetwork):
            network.prune_intermediate_layers(self.places)
        else:
            _prepare(self, name)
        norms = [norm(channels) for channels in self.channels] if norm else []
        self.norms = nn.ModuleList(norms)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the features of all stages."""
        features = self._features(images)
        if not self.norms:
            return features
        return [norm(feature) for norm, feature in zip(self.norms, features, strict=True)]

    def _features(self, images: Tensor) -> list[Tensor]:
        network: Any = self.network
        return network.forward_intermediates(
            images, indices=self.places, intermediates_only=True, output_fmt="NCHW"
        )


def check_backbone(spec: Spec) -> None:
    """Build a timm model to see whether its stages fit the task. Raises Problem if they do not."""
    assert isinstance(spec.network, Reference) and spec.recipe.task is not None
    network = build(spec.network, spec.recipe.image_size)
    Backbone(network, spec.recipe.task, f"timm:{spec.network.timm}")


def _stages(network: nn.Module, name: str) -> list[tuple[int, int, int]]:
    """Return place, channels and reduction of each stage. Raises Problem if there are none."""
    if not hasattr(network, "forward_intermediates") or not hasattr(network, "feature_info"):
        raise Problem(f"{name} lacks features by stage, which a head needs")
    described: Any = network.feature_info
    described = described if isinstance(described, list) else described.info
    stages = [
        (place, int(stage["num_chs"]), int(stage["reduction"]))
        for place, stage in enumerate(described)
    ]
    if isinstance(network, RoadmapNetwork):
        return stages
    return [stage for stage in stages if stage[2] >= FINEST]


def _norm(network: nn.Module) -> Callable[[int], nn.Module] | None:
    """Return what makes the norm of a stage; None if the network has none before its classifier.

    timm's models with a LayerNorm there get one over channels.
    """
    if isinstance(network, RoadmapNetwork):
        word = network.spec.head_norm
        return (lambda channels: norm_or_activation(NORMS[word], channels)) if word else None
    head = getattr(network, "head", None)
    last = (getattr(network, "norm", None), getattr(head, "norm", None))
    return ChannelNorm if any(isinstance(norm, nn.LayerNorm) for norm in last) else None


def _prepare(backbone: Backbone, name: str) -> None:
    """Make a timm model take images of any size, try it, and remove what no feature needs."""
    network: Any = backbone.network
    for module in network.modules():  # Swin's, of which timm builds those for one size only
        if hasattr(module, "strict_img_size"):
            module.strict_img_size = False
        if hasattr(module, "dynamic_mask"):
            module.dynamic_mask = True
    network.prune_intermediate_layers(backbone.places, prune_norm=True, prune_head=True)
    training, weight = network.training, next(network.parameters())
    network.eval()
    image = torch.zeros(1, 3, *TRIED, device=weight.device)
    try:
        features = backbone._features(image)
    except Exception as error:  # any exception of timm's code
        raise Problem(
            f"{name} cannot be a backbone: it fails for an image of {TRIED[0]} × {TRIED[1]} "
            f"pixels: {type(error).__name__}: {shortened(str(error), 200)}"
        ) from error
    network.train(training)
    sides = zip(backbone.channels, backbone.reductions, strict=True)
    wanted = [(1, channels, *(side // by for side in TRIED)) for channels, by in sides]
    if (found := [tuple(feature.shape) for feature in features]) != wanted:
        raise Problem(f"{name} cannot be a backbone: its features are {found}, expected {wanted}")
    _remove_unused(network, features)


def _remove_unused(network: nn.Module, features: Sequence[Tensor]) -> None:
    """Remove modules on which no feature depends: their parameters would have no gradient."""
    names, parameters = zip(*network.named_parameters(), strict=True)
    total = torch.stack([feature.sum() for feature in features]).sum()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    used = [name for name, own in zip(names, gradients, strict=True) if own is not None]
    for name, module in list(network.named_modules()):
        if any(True for _ in module.parameters(recurse=False)) and not any(
            each.startswith(f"{name}.") for each in used
        ):
            owner, _, own = name.rpartition(".")
            setattr(network.get_submodule(owner), own, nn.Identity())


def matcher(
    network: nn.Module, prefix: str, coarse: bool = False
) -> Callable[[str], tuple[int, ...]]:
    """Return a function from a parameter's name to its layer group, for layer-wise decay.

    The groups are those of `network`, whose names in the whole start with `prefix`; all else is the
    last group. A network without groups is one group.
    """
    own = getattr(network, "group_matcher", None)
    places = group_parameters(network, own(coarse=coarse), reverse=True) if own else {}

    def group(name: str) -> tuple[int, ...]:
        if not name.startswith(prefix):
            return (1, 0)
        return (0, places.get(name.removeprefix(prefix), 0))

    return group
