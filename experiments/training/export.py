"""The weights of a finished run as a safetensors file, under our names or timm's."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save

from experiments.request import Request
from experiments.training.checkpoint import LAST, check_identity, read_checkpoint
from roadmap.errors import Problem
from roadmap.files import put_bytes
from roadmap.network import build
from roadmap.timm_weights import to_timm


def export(request: Request, target: Path, *, timm_names: bool = False) -> None:
    """Write a finished run's network; raises Problem where weights or a timm counterpart lack.

    Timm's names are those of its default models, for `timm.create_model(…, checkpoint_path=)`; a
    timm reference row has them anyway. What the weights are of stands in the file's metadata.
    """
    path = request.folder / LAST
    if not path.exists():
        raise Problem(f"{request.name} has no weights: {request.folder} holds no {LAST}")
    try:
        saved = read_checkpoint(path)
    except ValueError as fault:  # the one before is not the finished run's
        raise Problem(f"{fault}; --restart trains the run anew") from None
    check_identity(saved, request.identity, path)
    averaged = request.spec.recipe.ema > 0
    prefix = "averaged.module." if averaged else "network."  # those that were validated
    weights = {
        name.removeprefix(prefix): tensor.contiguous()
        for name, tensor in saved["state_dict"].items()
        if name.startswith(prefix)
    }
    if timm_names and not request.row.startswith("timm:"):
        network = build(request.spec.network)
        network.load_state_dict(weights)
        named = to_timm(network, conv_mlp=False)
        weights = {name: tensor.contiguous() for name, tensor in named.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    about = request.finished()
    metadata = {
        "format": "pt",
        "roadmap": about.label.roadmap,
        "row": f"{about.label.row} {about.label.step}",
        "seed": str(request.seed),
        "data": str(about.data["name"]),
        "classes": str(about.data["classes"]),
        "top1": f"{about.top1}",
        "spec": request.identity.spec,
    }
    put_bytes(target, save(weights, metadata=metadata))
