"""Convert weights to and from timm, for networks that timm has too (see `timm_names`)."""

from __future__ import annotations

import pickle
from pathlib import Path

from safetensors import SafetensorError
from timm.models import load_state_dict
from torch import Tensor

from roadmap.errors import Problem
from roadmap.network import RoadmapNetwork
from roadmap.timm_names import timm_names


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


def load_timm(network: RoadmapNetwork, weights: dict[str, Tensor] | Path | str) -> None:
    """Load timm's weights into the network, from a state dict or a .safetensors or .pth file.

    Linear weights become 1×1 convolutions. Reading a file executes no code. Raises Problem and
    names the weights that are missing, unexpected or of another shape.
    """
    if not isinstance(weights, dict):
        if not Path(weights).is_file():
            raise Problem(f"weights file {weights} does not exist")
        weights = _read(Path(weights))
    current = network.state_dict()
    table = timm_names(network.spec, current)
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


def _first(names: list[str]) -> str:
    return f" ({names[0]}, …)" if names else ""
