"""Open an exported safetensors file: the network is built from the spec in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from roadmap.errors import Problem
from roadmap.network import build
from roadmap.spec import Operation, Spec, from_dict


def load(path: str | Path) -> nn.Module:
    """Return the network of a file of `roadmap export`, in evaluation mode.

    Raises Problem if the file has no card, or if the network has an operation from a user's file:
    code is not part of the export.
    """
    card, weights = read(Path(path))
    spec = from_dict(Spec, card["spec_values"])
    for stage in getattr(spec.network, "stages", ()):
        for unit in stage.block.units:
            if isinstance(unit, Operation):
                raise Problem(
                    f"{path} has the operation {unit.operation!r} of a steps file, whose code is "
                    "not in it; export it as onnx or torchscript"
                )
    network = build(spec.network, spec.recipe.image_size)
    network.load_state_dict(weights)
    return network.eval()


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the card and the weights of an exported file."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, FileNotFoundError) as fault:
        raise Problem(f"{path} is not readable: {fault}") from None
    if "spec_values" not in metadata:
        raise Problem(f"{path} has no spec in its metadata; `roadmap export` writes one")
    return {key: _value(text) for key, text in metadata.items()}, weights


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
