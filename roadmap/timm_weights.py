"""Convert weights to timm's names, and load the layouts of others into our networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from roadmap.errors import Problem
from roadmap.network import RoadmapNetwork
from roadmap.timm_names import timm_names
from roadmap.weight_files import read_weight_file
from roadmap.weight_layouts import recognize, timm_name


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What was loaded: the layout that was recognized, and which of a file's weights."""

    layout: str
    taken: str = ""

    def __str__(self) -> str:
        return f"{self.layout}, {self.taken}" if self.taken else self.layout


def to_timm(network: RoadmapNetwork, *, conv_mlp: bool = True) -> dict[str, Tensor]:
    """Return the network's weights under timm's names, for `load_state_dict` of timm's model.

    With `conv_mlp` they fit a ConvNeXt built with `conv_mlp=True`, whose 1×1 weights have four
    dimensions. Without it these weights have two dimensions, as in timm's default ConvNeXt.
    """
    ours = network.state_dict()
    weights = {theirs: ours[name] for name, theirs in timm_names(network.spec, ours).items()}
    if conv_mlp:
        return weights
    return {
        name: weight.flatten(1) if ".mlp.fc" in name and weight.ndim == 4 else weight
        for name, weight in weights.items()
    }


def load_timm(
    network: RoadmapNetwork, weights: dict[str, Tensor] | Path | str, *, use_ema: bool = False
) -> Loaded:
    """Load published weights into the network, from a state dict or a file; all must fit.

    The layouts are those of timm, torchvision, the paper's release and this project: see
    `roadmap.weight_layouts`. Of a file with raw and averaged weights it takes the raw ones, or
    with `use_ema` the averaged ones; the result says which. Linear weights become 1×1
    convolutions. Reading a file executes no code. Raises Problem and names the weights that are
    missing, unexpected or of another shape.
    """
    taken = ""
    if not isinstance(weights, dict):
        read = read_weight_file(Path(weights), use_ema=use_ema)
        weights, taken = read.weights, read.taken
    layout = recognize(weights)
    current = network.state_dict()
    if layout.ours:
        table = {name: name for name in weights}
    else:  # a Problem if no published network is like this one
        own = {theirs: name for name, theirs in timm_names(network.spec, current).items()}
        timms = {name: timm_name(name, layout) for name in weights}
        table = {name: own[theirs] for name, theirs in timms.items() if theirs in own}
    missing = sorted(current.keys() - set(table.values()))
    unexpected = sorted(name for name in weights if table.get(name) not in current)
    if missing or unexpected:
        raise Problem(
            f"the weights are of another network (layout: {layout.name}): "
            f"{len(missing)} are missing{_first(missing)}, "
            f"{len(unexpected)} unexpected{_first(unexpected)}"
        )
    loaded = {}
    for theirs, ours in table.items():
        weight, wanted = shaped(weights[theirs], current[ours]), current[ours].shape
        if weight.shape != wanted:
            raise Problem(f"{theirs} has the shape {[*weight.shape]}; needed: {[*wanted]}")
        loaded[ours] = weight
    network.load_state_dict(loaded)
    return Loaded(layout=layout.name, taken=taken)


def shaped(weight: Tensor, like: Tensor) -> Tensor:
    """Return a weight in the shape of another if only dimensions of one element differ.

    A linear weight (out, in) becomes (out, in, 1, 1); torchvision's layer scale (channels, 1, 1)
    becomes (channels,).
    """
    squeezed = [side for side in weight.shape if side != 1]
    if weight.ndim != like.ndim and squeezed == [side for side in like.shape if side != 1]:
        return weight.reshape(like.shape)
    return weight


def _first(names: list[str]) -> str:
    return f" ({names[0]}, …)" if names else ""
