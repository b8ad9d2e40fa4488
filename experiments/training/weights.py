"""The weights of a finished run as a safetensors file, which takes the place of its checkpoints."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from experiments.host.machine import Keep
from experiments.training.checkpoint import BEFORE, LAST, read_checkpoint
from roadmap.errors import Problem
from roadmap.files import check_ends, put_bytes

WEIGHTS = "weights.safetensors"
CHECKPOINTS = (LAST, BEFORE, "last.damaged", "before.damaged", "last.partial")


def keep_only(keep: Keep, folder: Path) -> None:
    """Remove the checkpoints of a finished run, except what `keep` names.

    `last` keeps the last checkpoint, `weights` the weights that were validated, `none` nothing.
    """
    if keep == "weights" and (folder / LAST).exists():
        put_bytes(folder / WEIGHTS, _file(read_checkpoint(folder / LAST)))
    for name in CHECKPOINTS:
        if keep != "last" or name != LAST:
            (folder / name).unlink(missing_ok=True)


def weights_fingerprint(folder: Path) -> str:
    """Return the fingerprint that the weights file would have that `keep_only` makes.

    Raises Problem if the run has no weights.
    """
    identity, weights = read_weights(folder)
    return hashlib.sha256(_bytes(identity, weights)).hexdigest()[:12]


def _file(checkpoint: dict[str, Any]) -> bytes:
    return _bytes(checkpoint["identity"], validated_weights(checkpoint))


def _bytes(identity: dict[str, Any], weights: dict[str, Tensor]) -> bytes:
    return save(weights, metadata={"format": "pt", "identity": json.dumps(identity)})


def validated_weights(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """Return the weights that were validated: the average if the run has one."""
    state = checkpoint["state_dict"]
    averaged = "averaged.module."
    prefix = averaged if any(name.startswith(averaged) for name in state) else "network."
    return {
        name.removeprefix(prefix): tensor.contiguous()
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def read_weights(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the identity and the weights of a finished run.

    Raises Problem if there are none or if they are damaged.
    """
    path = folder / WEIGHTS
    if path.exists():
        try:
            check_ends(path)
            with safe_open(path, "pt") as file:
                identity = json.loads(file.metadata()["identity"])
                return identity, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, ValueError, KeyError, TypeError) as fault:
            raise Problem(f"{path} is damaged: {fault}; use --restart to train again") from None
    path = folder / LAST
    if not path.exists():
        raise Problem(f"the run has no weights: {folder} holds no {WEIGHTS} and no {LAST}")
    try:
        saved = read_checkpoint(path)
    except ValueError as fault:  # the previous checkpoint is not the finished run's
        raise Problem(f"{fault}; use --restart to train again") from None
    return saved["identity"], validated_weights(saved)
