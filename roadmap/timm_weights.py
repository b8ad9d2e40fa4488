"""Weights to and from timm: the two ends of the roadmaps are timm's resnet and convnext.

ResNet rows (00 and 01) carry the weights of timm's `resnet50`, `resnet200`, …; rows that end as
ConvNeXt (13) those of `convnext_tiny`, `convnext_base`, …. Rows between have no counterpart.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path

from safetensors import SafetensorError
from timm.models import load_state_dict
from torch import Tensor

from roadmap.errors import Problem
from roadmap.network import RoadmapNetwork
from roadmap.text import lines

# What timm's two families are, in the lines of `roadmap.text`; what may differ within a family.
FREE = ("depths", "widths", "drop path", "initialization", "classes", "layer scale")
RESNET_FORM = (
    "stem: 7×7 stride 2, batch norm, relu, max-pool",
    "block, unit 1: 1×1, to narrow, batch norm, relu",
    "block, unit 2: 3×3, to narrow, batch norm, relu",
    "block, unit 3: 1×1, to wide, batch norm",
    "block, shortcut where the shape changes: 1×1, batch norm",
    "block, after the addition: relu",
    "downsampling: in the first block of a stage",
    "head: global average pool, linear",
)
CONVNEXT_FORM = (
    "stem: 4×4 stride 4, bias, layer norm at its end",
    "block, unit 1: 7×7 depthwise, same width, bias, layer norm",
    "block, unit 2: 1×1, to wide, bias, gelu",
    "block, unit 3: 1×1, to narrow, bias",
    "block, shortcut where the shape changes: 1×1, layer norm",
    "block, after the addition: nothing",
    "downsampling: between stages, layer norm, then 2×2 stride 2, bias",
    "head: global average pool, layer norm, linear",
)

# Our name → timm's, tried from top to bottom; {n+1} counts from one.
RESNET = (
    (r"stem\.convolution", "conv1"),
    (r"stem\.norm", "bn1"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.branch\.convolution_(\d+)", "layer{0+1}.{1}.conv{2+1}"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.branch\.norm_(\d+)", "layer{0+1}.{1}.bn{2+1}"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.shortcut\.convolution", "layer{0+1}.{1}.downsample.0"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.shortcut\.norm", "layer{0+1}.{1}.downsample.1"),
    (r"head\.classifier", "fc"),
)
CONVNEXT = (
    (r"stem\.convolution", "stem.0"),
    (r"stem\.final_norm", "stem.1"),
    (r"stages\.(\d+)\.downsampling\.norm", "stages.{0}.downsample.0"),
    (r"stages\.(\d+)\.downsampling\.convolution", "stages.{0}.downsample.1"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.branch\.convolution_0", "stages.{0}.blocks.{1}.conv_dw"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.branch\.norm_0", "stages.{0}.blocks.{1}.norm"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.branch\.convolution_(\d+)", "stages.{0}.blocks.{1}.mlp.fc{2}"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.branch\.layer_scale\.gamma", "stages.{0}.blocks.{1}.gamma"),
    (r"head\.norm", "head.norm"),
    (r"head\.classifier", "head.fc"),
)


def names(network: RoadmapNetwork) -> dict[str, str]:
    """Our parameter and buffer names → timm's; a Problem for a row without a counterpart."""
    facts = {line for line in lines(network.spec) if not line.startswith(FREE)}
    for form, table in ((RESNET_FORM, RESNET), (CONVNEXT_FORM, CONVNEXT)):
        if facts == set(form):
            return {ours: _rename(ours, table) for ours in network.state_dict()}
    raise Problem(
        "this network has no counterpart in timm; those of rows 00, 01 and 13 of the shipped "
        "roadmaps have one"
    )


def _rename(ours: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, target in table:
        match = re.match(rf"{pattern}(?=\.|$)", ours)
        if match:
            for place, number in enumerate(match.groups()):
                target = target.replace(f"{{{place}}}", number)
                target = target.replace(f"{{{place}+1}}", str(int(number) + 1))
            return target + ours[match.end() :]
    raise AssertionError(f"{ours} has no name in timm")


def to_timm(network: RoadmapNetwork) -> dict[str, Tensor]:
    """The network's weights under timm's names, for `load_state_dict` of timm's model.

    1×1 weights keep four dimensions, as in timm's ConvNeXts built with `conv_mlp=True`; the
    default ones compute them as Linear: squeeze the weights of `mlp.fc1` and `mlp.fc2` to two.
    """
    weights = network.state_dict()
    return {theirs: weights[ours] for ours, theirs in names(network).items()}


def load_timm(network: RoadmapNetwork, weights: dict[str, Tensor] | Path | str) -> None:
    """Load timm's weights, from a state dict or a .safetensors or .pth file, into the network.

    Linear weights are taken as 1×1 convolutions. Files are read without executing code. Raises
    Problem naming what is missing, unexpected or of another shape.
    """
    if not isinstance(weights, dict):
        if not Path(weights).is_file():
            raise Problem(f"weights file {weights} does not exist")
        weights = _read(Path(weights))
    table, current = names(network), network.state_dict()
    missing = sorted(set(table.values()) - set(weights))
    unexpected = sorted(set(weights) - set(table.values()))
    if missing or unexpected:
        raise Problem(
            f"the weights are of another network: {len(missing)} are missing"
            f"{_first(missing)}, {len(unexpected)} unexpected{_first(unexpected)}"
        )
    loaded = {}
    for ours, theirs in table.items():
        weight, wanted = weights[theirs], current[ours].shape
        if weight.ndim == 2 and len(wanted) == 4:
            weight = weight[:, :, None, None]
        if weight.shape != wanted:
            raise Problem(f"{theirs} has the shape {[*weight.shape]}; needed: {[*wanted]}")
        loaded[ours] = weight
    network.load_state_dict(loaded)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_state_dict(str(path), use_ema=False, weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise Problem(f"weights file {path} is not readable as weights: {reason}") from None


def _first(found: list[str]) -> str:
    return f" ({found[0]}, …)" if found else ""
