"""Tell which specs are networks of timm, and translate the names of their weights. No torch here.

ResNet rows (00 and 01) are timm's `resnet50`, `resnet200`, …. ConvNeXt rows (13) are its
`convnext_tiny`, `convnext_base`, …. The rows between have no counterpart in timm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from roadmap.errors import Problem
from roadmap.spec import Network
from roadmap.text import lines

# timm's two families in the lines of `roadmap.text`; FREE lines may differ within a family.
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


def timm_names(network: Network, ours: Iterable[str] = ()) -> dict[str, str]:
    """Return timm's name for each of our parameters; a Problem if timm has no such network."""
    facts = {line for line in lines(network) if not line.startswith(FREE)}
    for form, table in ((RESNET_FORM, RESNET), (CONVNEXT_FORM, CONVNEXT)):
        if facts == set(form):
            return {name: _rename(name, table) for name in ours}
    raise Problem(
        "this network has no counterpart in timm; only rows 00, 01 and 13 of the shipped "
        "roadmaps have one"
    )


def timm_arguments(network: Network) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of timm's model that has this network's shapes.

    Raises Problem if timm has no such network.
    """
    timm_names(network)
    depths = [stage.depth for stage in network.stages]
    widths = [stage.width for stage in network.stages]
    if network.downsampling is None:
        return "resnet50", {"layers": depths, "channels": widths}
    scale = network.layer_scale
    return "convnext_tiny", {"depths": depths, "dims": widths, "ls_init_value": scale}


def _rename(ours: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, target in table:
        match = re.match(rf"{pattern}(?=\.|$)", ours)
        if match:
            for place, number in enumerate(match.groups()):
                target = target.replace(f"{{{place}}}", number)
                target = target.replace(f"{{{place}+1}}", str(int(number) + 1))
            return target + ours[match.end() :]
    raise AssertionError(f"{ours} has no name in timm")
