"""Weights to and from timm, for the networks that are timm's own (see `timm_names`)."""

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
    """The network's weights under timm's names, for `load_state_dict` of timm's model.

    As for a ConvNeXt built with `conv_mlp=True`, whose 1×1 weights have four dimensions; without
    it they have two, as in timm's default ones.
    """
    weights = network.state_dict()
    names = {theirs: weights[ours] for ours, theirs in timm_names(network.spec, weights).items()}
    if conv_mlp:
        return names
    return {
        name: each.flatten(1) if ".mlp.fc" in name and each.ndim == 4 else each
        for name, each in names.items()
    }


def load_timm(network: RoadmapNetwork, weights: dict[str, Tensor] | Path | str) -> None:
    """Load timm's weights, from a state dict or a .safetensors or .pth file, into the network.

    Linear weights are taken as 1×1 convolutions. Files are read without executing code. Raises
    Problem naming what is missing, unexpected or of another shape.
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


def _first(found: list[str]) -> str:
    return f" ({found[0]}, …)" if found else ""
