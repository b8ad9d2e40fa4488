"""The layouts in which networks of our two families are published, told apart by names. No torch.

Every layout is translated to timm's names, and from there to ours. A reference row of timm takes
timm's names; a row of ours takes ours.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from roadmap.timm_names import CONVNEXT, RESNET

Rules = tuple[tuple[str, str], ...]  # pattern and template, tried from top to bottom

# The layout of the paper's own release → timm's. {0} is the first number in the name.
RELEASE: Rules = (
    (r"downsample_layers\.0\.(\d+)", "stem.{0}"),
    (r"downsample_layers\.(\d+)\.(\d+)", "stages.{0}.downsample.{1}"),
    (r"stages\.(\d+)\.(\d+)\.dwconv", "stages.{0}.blocks.{1}.conv_dw"),
    (r"stages\.(\d+)\.(\d+)\.norm", "stages.{0}.blocks.{1}.norm"),
    (r"stages\.(\d+)\.(\d+)\.pwconv(\d+)", "stages.{0}.blocks.{1}.mlp.fc{2}"),
    (r"stages\.(\d+)\.(\d+)\.grn\.gamma", "stages.{0}.blocks.{1}.mlp.grn.weight"),
    (r"stages\.(\d+)\.(\d+)\.grn\.beta", "stages.{0}.blocks.{1}.mlp.grn.bias"),
    (r"stages\.(\d+)\.(\d+)\.gamma", "stages.{0}.blocks.{1}.gamma"),
    (r"norm", "head.norm"),
    (r"head", "head.fc"),
)
_STAGES = {number: (number - 1) // 2 for number in (1, 3, 5, 7)}
TORCHVISION: Rules = (
    (r"features\.0\.(\d+)", "stem.{0}"),
    *(
        (rf"features\.{number}\.(\d+)\.{theirs}", f"stages.{stage}.blocks.{{0}}.{timms}")
        for number, stage in _STAGES.items()
        for theirs, timms in (
            (r"block\.0", "conv_dw"),
            (r"block\.2", "norm"),
            (r"block\.3", "mlp.fc1"),
            (r"block\.5", "mlp.fc2"),
            ("layer_scale", "gamma"),
        )
    ),
    *(
        (rf"features\.{2 * stage}\.(\d+)", f"stages.{stage}.downsample.{{0}}")
        for stage in (1, 2, 3)
    ),
    (r"classifier\.0", "head.norm"),
    (r"classifier\.2", "head.fc"),
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way of naming weights: its name for people, and the names that tell it from others."""

    name: str
    marks: tuple[str, ...]
    to_timm: Rules | None = None
    from_timm: Rules | None = None
    ours: bool = False


def _inverted(rules: Rules) -> Rules:
    """Return the rules of the other direction; `{0+1}` in a template subtracts one there."""
    made = []
    for pattern, template in rules:
        numbers = iter(range(100))
        ours = re.sub(r"\(\\d\+\)", lambda _: f"{{{next(numbers)}}}", pattern).replace("\\", "")  # noqa: B023
        order = re.findall(r"\{(\d)(\+1)?\}", template)
        for place, (group, plus) in enumerate(order):
            ours = ours.replace(f"{{{group}}}", f"<{place}{'-1' if plus else ''}>")
        theirs = re.sub(r"\\\{\d(\\\+1)?\\\}", r"(\\d+)", re.escape(template))
        made.append((theirs, ours.replace("<", "{").replace(">", "}")))
    return tuple(made)


OURS = Layout(name="this project's own", marks=("stem.convolution.weight",), ours=True)
LAYOUTS = (
    OURS,
    Layout(
        name="ConvNeXt as the paper released it",
        marks=("downsample_layers.0.0.weight", "stages.0.0.dwconv.weight"),
        to_timm=RELEASE,
        from_timm=_inverted(CONVNEXT),
    ),
    Layout(
        name="torchvision's ConvNeXt",
        marks=("features.0.0.weight", "features.1.0.block.5.weight"),
        to_timm=TORCHVISION,
        from_timm=_inverted(CONVNEXT),
    ),
    Layout(
        name="timm's ConvNeXt",
        marks=("stem.0.weight", "stages.0.blocks.0.conv_dw.weight"),
        from_timm=_inverted(CONVNEXT),
    ),
    Layout(
        name="ResNet of timm and torchvision",
        marks=("conv1.weight", "layer1.0.conv1.weight"),
        from_timm=_inverted(RESNET),
    ),
    Layout(
        name="timm's ResNet with a deep stem", marks=("conv1.0.weight", "layer1.0.conv1.weight")
    ),
    Layout(
        name="timm's InceptionNeXt",
        marks=("stem.0.weight", "stages.0.blocks.0.token_mixer.dwconv_hw.weight"),
    ),
)
OTHER = Layout(name="unknown", marks=())


# Where a detector and a segmenter of ours hold the classification network that they are built on.
BACKBONES = ("backbone.body.network.", "backbone.network.")
Item = TypeVar("Item")


def of_backbone(weights: Mapping[str, Item]) -> dict[str, Item]:
    """Return the backbone's part of a detector or segmenter of ours; else all weights."""
    for prefix in BACKBONES:
        if own := {name: item for name, item in weights.items() if name.startswith(prefix)}:
            return {name.removeprefix(prefix): item for name, item in own.items()}
    return dict(weights)


def recognize(names: Iterable[str]) -> Layout:
    """Return the layout of weights; `OTHER` if it is none of those known."""
    known = set(names)
    return next((layout for layout in LAYOUTS if known.issuperset(layout.marks)), OTHER)


def timm_name(name: str, layout: Layout) -> str:
    """Return timm's name for a weight; the name itself if the layout has no rule for it."""
    return name if layout.to_timm is None else _renamed(name, layout.to_timm) or name


def our_names(names: Iterable[str], layout: Layout) -> dict[str, str]:
    """Return our name for each weight that our networks could have, by its own name."""
    if layout.ours:
        return {name: name for name in names}
    if layout.from_timm is None:
        return {}
    named = {name: _renamed(timm_name(name, layout), layout.from_timm) for name in names}
    return {name: ours for name, ours in named.items() if ours is not None}


def _renamed(name: str, rules: Rules) -> str | None:
    for pattern, template in rules:
        if match := re.match(rf"{pattern}(?=\.|$)", name):
            for place, number in enumerate(match.groups()):
                template = template.replace(f"{{{place}}}", number)
                template = template.replace(f"{{{place}-1}}", str(int(number) - 1))
            return template + name[match.end() :]
    return None


_UNIT = re.compile(r"(stages\.\d+\.blocks\.\d+\.branch)\.(convolution|norm)_(\d+)(?=\.)")


def by_position(names: Iterable[str]) -> Callable[[str], str]:
    """Return a function that numbers the convolutions of a branch among themselves: 0, 1, 2.

    Our names count all units. With an operation between two convolutions, the second one has
    another name, but it is still the second convolution.
    """
    units: dict[str, set[int]] = defaultdict(set)
    for name in names:
        if (match := _UNIT.match(name)) and match[2] == "convolution":
            units[match[1]].add(int(match[3]))
    ranks = {
        branch: {unit: rank for rank, unit in enumerate(sorted(numbers))}
        for branch, numbers in units.items()
    }

    def numbered(name: str) -> str:
        match = _UNIT.match(name)
        if not match or int(match[3]) not in ranks.get(match[1], {}):
            return name
        rank = ranks[match[1]][int(match[3])]
        return f"{match[1]}.{match[2]}_{rank}{name[match.end() :]}"

    return numbered
