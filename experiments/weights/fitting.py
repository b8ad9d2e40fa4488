"""Which weights fit a network: by layout, name and shape. No torch here.

Names of all layouts are translated to ours, with the convolutions of a block counted among
themselves. A name that ours do not cover stays timm's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from roadmap.errors import Problem
from roadmap.kinds import LayerKind
from roadmap.plan import plan
from roadmap.spec import Network
from roadmap.weight_checks import Shapes
from roadmap.weight_layouts import Layout, by_position, our_names, recognize, timm_name

CLASSIFIER = "head.classifier"


def common_names(names: Iterable[str], layout: Layout) -> dict[str, str]:
    """Return each weight's common name, by its own name."""
    names = list(names)
    ours = our_names(names, layout)
    numbered = by_position(ours.values())
    return {
        name: numbered(ours[name]) if name in ours else f"timm:{timm_name(name, layout)}"
        for name in names
    }


def same_layer(
    name: str, theirs: Mapping[str, tuple[int, ...]], ours: Mapping[str, tuple[int, ...]]
) -> bool:
    """Return whether a common name stands for the same kind of layer in two sets of shapes.

    Dimensions of one element do not count. A BatchNorm, which has statistics, is no LayerNorm.
    """
    if name not in theirs or name not in ours or _sides(theirs[name]) != _sides(ours[name]):
        return False
    statistics = f"{name.rpartition('.')[0]}.running_mean"
    return (statistics in theirs) == (statistics in ours)


def shared(network: Network, shapes: Shapes) -> list[str]:
    """Return the common names of the convolution weights that a network can take from `shapes`."""
    layout = recognize(shapes)
    theirs = {name: shapes[own] for own, name in common_names(shapes, layout).items()}
    ours = _convolutions(network)
    return [name for name in ours if same_layer(name, theirs, ours)]


def _convolutions(network: Network) -> dict[str, tuple[int, ...]]:
    """Return the shape of each convolution's weight, by its common name."""
    found = {
        f"{layer.name}.weight": (
            layer.outputs[0],
            layer.inputs[0] // layer.groups,
            layer.kernel,
            layer.columns or layer.kernel,
        )
        for layer in plan(network).layers()
        if layer.kind == LayerKind.CONVOLUTION
    }
    numbered = by_position(found)
    return {numbered(name): shape for name, shape in found.items()}


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(side for side in shape if side != 1)


GROUPS = ("features", "norms", "biases")  # what a recipe can freeze by these words


def check_frozen(network: Network, patterns: Iterable[str]) -> None:
    """Raise Problem for a pattern of a recipe's `freeze` that names nothing in a network.

    What is within a user's own operation is not known before the network is built.
    """
    layers = list(plan(network).layers())
    own = tuple(layer.name for layer in layers if layer.kind == LayerKind.OPERATION)
    names = [f"{layer.name}.{part}" for layer in layers for part in ("weight", "bias", "gamma")]
    for pattern in patterns:
        if pattern in GROUPS or pattern.startswith(own) or ("*" in pattern and own):
            continue
        if not any(
            fnmatchcase(name, pattern) or f"{name}.".startswith(f"{pattern}.") for name in names
        ):
            raise names_nothing(pattern, ("stem", "stages", "head"))


def names_nothing(pattern: str, parts: Iterable[str]) -> Problem:
    """Return the problem that a pattern of `freeze` names no parameter; `parts` are valid."""
    choices = ", ".join([*GROUPS, *parts])
    return Problem(
        f"recipe.freeze: {pattern!r} names nothing in this network; valid: {choices}, a module "
        "within, or a name with *"
    )
