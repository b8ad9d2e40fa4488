"""Export the weights of a finished run as a safetensors file, under our names or timm's."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save

from experiments.request import Request
from experiments.training.checkpoint import check_identity
from experiments.training.weights import read_weights
from roadmap.errors import Problem
from roadmap.files import put_bytes
from roadmap.network import RoadmapNetwork, build
from roadmap.spec import Network
from roadmap.timm_weights import to_timm


def export(request: Request, target: Path, *, timm_names: bool = False) -> None:
    """Write a finished run's network; raises Problem if the run is not finished or has no weights.

    Timm's names are those of its default models, for `timm.create_model(…, checkpoint_path=)`; a
    timm reference row has them anyway. The file's metadata says which run the weights are of.
    """
    record = request.finished()
    if record is None:
        raise Problem(f"{request.name} is not finished and has no weights in {request.folder}")
    identity, weights = read_weights(request.folder)
    check_identity({"identity": identity}, request.identity, request.folder)
    if timm_names and isinstance(request.spec.network, Network):
        network = build(request.spec.network)
        assert isinstance(network, RoadmapNetwork)
        network.load_state_dict(weights)
        named = to_timm(network, conv_mlp=False)
        weights = {name: tensor.contiguous() for name, tensor in named.items()}
    metadata = {
        "format": "pt",
        "roadmap": record.label.roadmap,
        "row": f"{record.label.row} {record.label.step}",
        "seed": str(request.seed),
        "data": str(record.data["name"]),
        "classes": str(record.data["classes"]),
        "top1": f"{record.top1}",
        "spec": request.identity.spec,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    put_bytes(target, save(weights, metadata=metadata))
