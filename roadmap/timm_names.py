"""Tell which specs are networks of timm, and translate the names of their weights. No torch here.

ResNet rows (00 and 01) are timm's `resnet50`, `resnet200`, …; with a deep stem, an average-pool
shortcut or squeeze-and-excitation its `resnet50d`, `resnetrs200`, …. ConvNeXt rows (13) are its
`convnext_tiny`, `convnextv2_tiny`, `inception_next_tiny`, …. Rows between have no counterpart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from roadmap.errors import Problem
from roadmap.spec import Network, ResponseNorm
from roadmap.text import lines

# timm's families in the lines of `roadmap.text`; FREE lines may differ within a family.
FREE = ("depths", "widths", "drop path", "initialization", "classes", "layer scale")
PLAIN_STEM = ("stem: 7×7 stride 2, batch norm, relu, max-pool",)
DEEP_STEM = (
    "stem, convolution 1: 3×3 stride 2, to 1/2 of the width, batch norm, relu",
    "stem, convolution 2: 3×3 stride 1, to 1/2 of the width, batch norm, relu",
    "stem: 3×3 stride 1, batch norm, relu, max-pool",
)
DEEPER_STEM = (
    *DEEP_STEM[:2],
    "stem, convolution 3: 3×3 stride 1, batch norm, relu",
    "stem: 3×3 stride 2, batch norm, relu",
)
RESNET_FORM = (
    "block, unit 1: 1×1, to narrow, batch norm, relu",
    "block, unit 2: 3×3, to narrow, batch norm, relu",
    "block, unit 3: 1×1, to wide, batch norm",
    "block, after the addition: relu",
    "downsampling: in the first block of a stage",
    "head: global average pool, linear",
)
SQUEEZES = ((), ("block, unit 4: squeeze-and-excitation through 1/4 of the channels",))
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
CONVNEXT_V2_FORM = (
    *CONVNEXT_FORM[:3],
    "block, unit 3: global response norm",
    "block, unit 4: 1×1, to narrow, bias",
    *CONVNEXT_FORM[4:],
)
INCEPTION_FORM = (
    "stem: 4×4 stride 4, bias, batch norm at its end",
    "block, unit 1: 3×3 depthwise on 1/8, 1×11 depthwise on 1/8, 11×1 depthwise on 1/8, bias, "
    "batch norm",
    *CONVNEXT_FORM[2:4],
    "block, shortcut where the shape changes: 1×1, batch norm",
    "block, after the addition: nothing",
    "block, wide is 3 × narrow",
    "downsampling: between stages, batch norm, then 2×2 stride 2, bias",
    "head: global average pool, linear to 3 × as many, gelu, layer norm, linear",
)

# Our name → timm's, tried from top to bottom; {n+1} counts from one.
PLAIN = ((r"stem\.convolution", "conv1"), (r"stem\.norm", "bn1"))
DEEP = (
    (r"stem\.convolution_0", "conv1.0"),
    (r"stem\.norm_0", "conv1.1"),
    (r"stem\.convolution_1", "conv1.3"),
    (r"stem\.norm_1", "conv1.4"),
)
DEEP_END = ((r"stem\.convolution", "conv1.6"), (r"stem\.norm", "bn1"))
DEEPER_END = (
    (r"stem\.convolution_2", "conv1.6"),
    (r"stem\.norm_2", "bn1"),
    (r"stem\.convolution", "maxpool.0"),
    (r"stem\.norm", "maxpool.1"),
)
_RESNET_BLOCKS = (
    (r"stages\.(\d+)\.blocks\.(\d+)\.branch\.convolution_(\d+)", "layer{0+1}.{1}.conv{2+1}"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.branch\.norm_(\d+)", "layer{0+1}.{1}.bn{2+1}"),
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

_BRANCH = r"stages\.(\d+)\.blocks\.(\d+)\.branch\."
CONVNEXT_V2 = (
    (_BRANCH + r"response_norm_2", "stages.{0}.blocks.{1}.mlp.grn"),
    (_BRANCH + r"convolution_3", "stages.{0}.blocks.{1}.mlp.fc2"),
    *CONVNEXT,
)
INCEPTION = (
    (_BRANCH + r"parallel_0\.branch_0", "stages.{0}.blocks.{1}.token_mixer.dwconv_hw"),
    (_BRANCH + r"parallel_0\.branch_1", "stages.{0}.blocks.{1}.token_mixer.dwconv_w"),
    (_BRANCH + r"parallel_0\.branch_2", "stages.{0}.blocks.{1}.token_mixer.dwconv_h"),
    (r"head\.hidden_norm", "head.norm"),
    (r"head\.hidden", "head.fc1"),
    (r"head\.classifier", "head.fc2"),
    *CONVNEXT,
)
_SHORTCUT = r"stages\.(\d+)\.blocks\.(\d+)\.shortcut\."
_SHAPE = "block, shortcut where the shape changes: "
_SHORTCUTS = (
    (
        _SHAPE + "1×1, batch norm",
        (
            (_SHORTCUT + "convolution", "layer{0+1}.{1}.downsample.0"),
            (_SHORTCUT + "norm", "layer{0+1}.{1}.downsample.1"),
        ),
    ),
    (
        _SHAPE + "average pool where it strides, 1×1, batch norm",
        (
            (_SHORTCUT + "convolution", "layer{0+1}.{1}.downsample.1"),
            (_SHORTCUT + "norm", "layer{0+1}.{1}.downsample.2"),
        ),
    ),
)
_SQUEEZE = (
    (_BRANCH + r"squeeze_excitation_3\.reduce", "layer{0+1}.{1}.se.fc1"),
    (_BRANCH + r"squeeze_excitation_3\.expand", "layer{0+1}.{1}.se.fc2"),
)
RESNET = PLAIN + _SHORTCUTS[0][1] + _RESNET_BLOCKS
_STEMS = (
    (PLAIN_STEM, PLAIN),
    (DEEP_STEM, DEEP + DEEP_END),
    (DEEPER_STEM, DEEP + DEEPER_END),
)
# Each form as a set of lines, and the names of its weights.
FAMILIES = [
    (
        {*stem, *RESNET_FORM, shortcut, *squeeze},
        stem_names + shortcut_names + _SQUEEZE + _RESNET_BLOCKS,
    )
    for stem, stem_names in _STEMS
    for shortcut, shortcut_names in _SHORTCUTS
    for squeeze in SQUEEZES
] + [
    (set(CONVNEXT_FORM), CONVNEXT),
    (set(CONVNEXT_V2_FORM), CONVNEXT_V2),
    (set(INCEPTION_FORM), INCEPTION),
]


def timm_names(network: Network, ours: Iterable[str] = ()) -> dict[str, str]:
    """Return timm's name for each of our parameters; a Problem if timm has no such network."""
    facts = {
        re.sub(
            r"^block of stages? [\d, ]+, (?=unit|shortcut|after|wide|stride)", "block, ", line
        ).replace(*_dropout(network))
        for line in lines(network)
        if not line.startswith(FREE)
    }
    for form, table in FAMILIES:
        if facts == form:
            return {name: _rename(name, table) for name in ours}
    raise Problem(
        "this network has no counterpart in timm; rows 00, 01 and 13 of resnet50 and the ends of "
        "the other shipped roadmaps have one"
    )


def _dropout(network: Network) -> tuple[str, str]:
    """Return the words of the head's dropout, which has no weights, and nothing in their place."""
    return f", dropout {network.head_dropout:g}", ""


def timm_arguments(network: Network) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of timm's model that has this network's shapes.

    Raises Problem if timm has no such network.
    """
    timm_names(network)
    depths = [stage.depth for stage in network.stages]
    widths = [stage.width for stage in network.stages]
    if network.downsampling is None:
        return "resnet50", {"layers": depths, "channels": widths, **_resnet_arguments(network)}
    if network.head_mlp is not None:
        start = network.layer_scale or 0.0
        return "inception_next_tiny", {"depths": depths, "dims": widths, "ls_init_value": start}
    kinds = {type(unit) for unit in network.stages[0].block.units}
    responding = {"use_grn": True} if ResponseNorm in kinds else {}
    scale = network.layer_scale
    sizes = {"depths": depths, "dims": widths, "ls_init_value": scale}
    return "convnext_tiny", sizes | responding


def _resnet_arguments(network: Network) -> dict[str, Any]:
    """Return the arguments of timm's ResNet beyond its sizes; none for a plain one."""
    arguments: dict[str, Any] = {}
    if network.stem.before:
        half = network.stages[0].width // 2
        arguments |= {"stem_type": "deep", "stem_width": half}
    if len(network.stem.before) == 3:
        arguments["replace_stem_pool"] = True
    if network.stages[0].block.shortcut == "average_pool":
        arguments["avg_down"] = True
    if len(network.stages[0].block.units) == 4:
        arguments["block_args"] = {"attn_layer": "se"}
    return arguments


def _rename(ours: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, target in table:
        match = re.match(rf"{pattern}(?=\.|$)", ours)
        if match:
            for place, number in enumerate(match.groups()):
                target = target.replace(f"{{{place}}}", number)
                target = target.replace(f"{{{place}+1}}", str(int(number) + 1))
            return target + ours[match.end() :]
    raise AssertionError(f"{ours} has no name in timm")
