"""A finished run, ready to use: its network with the validated weights, and what it expects."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from experiments.data.splits import Statistics, open_data
from experiments.request import Request
from experiments.tasks.kinds import with_heads
from experiments.training.checkpoint import check_identity
from experiments.training.weights import read_weights
from roadmap.errors import Problem
from roadmap.layers import DepthwiseConvolution
from roadmap.network import build
from roadmap.record import Record
from roadmap.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run: its record, its spec, its weights by name, and how images are prepared."""

    spec: Spec
    record: Record
    weights: dict[str, Tensor]
    class_names: tuple[str, ...]
    statistics: Statistics

    @cached_property
    def network(self) -> nn.Module:
        """The network with its heads and the validated weights, for evaluation."""
        network = build(self.spec.network, self.spec.recipe.image_size)
        network = with_heads(network, self.spec, self.statistics)
        network.load_state_dict(self.weights)
        return network.eval()

    @property
    def portable(self) -> nn.Module:
        """The network with torch's own depthwise convolution, for programs without our kernels."""
        network = copy.deepcopy(self.network)
        for module in network.modules():
            if isinstance(module, DepthwiseConvolution):
                plain: nn.Module = module  # it has no attributes of its own
                plain.__class__ = nn.Conv2d
        return network

    def card(self, *, license: str | None) -> dict[str, Any]:
        """Return what a user of the network must know, as plain data.

        Images are RGB on a scale of 0 to 1: resized so that the short side is `image_size / crop`,
        cut in the middle to `image_size`, then normalized by `mean` and `std`.
        """
        record, recipe = self.record, self.spec.recipe
        label = record.label
        card: dict[str, Any] = {
            "roadmap": label.roadmap,
            "row": f"{label.row} {label.step}",
            "seed": record.identity.seed,
            "data": record.data["name"],
            "classes": record.data["classes"],
            "class_names": list(self.class_names),
            "image_size": recipe.image_size,
            "crop": recipe.evaluation_crop,
            "interpolation": recipe.interpolation,
            "mean": list(self.statistics.mean),
            "std": list(self.statistics.std),
            "top1": record.top1,
            "validation_images": record.data["val"],
            "license": license or "not stated",
            "spec": record.identity.spec,
            "spec_values": record.spec,
        }
        if record.weights is not None:
            start = record.weights
            card["started_from"] = f"{start.source} ({start.fingerprint})"
        return card


def open_finished(request: Request) -> Finished:
    """Return a finished run; raises Problem if it is not finished, diverged or has no weights."""
    record = request.finished()
    if record is None:
        raise Problem(f"{request.name} is not finished and has no weights in {request.folder}")
    if record.status != "finished":
        raise Problem(f"{request.name} diverged, so its weights are of no use; --restart trains it")
    identity, weights = read_weights(request.folder)
    check_identity({"identity": identity}, request.identity, request.folder)
    source, recipe = request.settings.source, request.spec.recipe
    own = recipe.statistics == "data"
    return Finished(
        spec=request.spec,
        record=record,
        weights=weights,
        class_names=source.names_for(recipe.task_name),
        statistics=open_data(source).own_statistics if own else Statistics(),
    )


def as_text(card: dict[str, Any]) -> dict[str, str]:
    """Return a card with text values, for formats that take nothing else; lists become JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in card.items()
    }
