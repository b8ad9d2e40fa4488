"""What a run takes of a GPU, estimated from its spec without torch."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.request import Request
from roadmap.heads import spec_cost
from roadmap.spec import Network

# Measured on an H100 with bf16: MACs a second of a large network's training, and the shortest step.
MACS_PER_SECOND, SHORTEST_STEP = 30e12, 0.015
PASSES = 3  # forward, and backward twice as much
CONTEXT = 1.5e9  # bytes that CUDA and its libraries take for each process
# Bytes for each activation and each parameter: copies for the backward pass, the optimizer's state.
PER_ACTIVATION, PER_PARAMETER = 16, 24


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Seconds and bytes of a run on one fast GPU, if the network is not compiled.

    `is_small` says that starting the GPU's work takes longer than the work itself.
    """

    seconds: float
    memory: float
    is_small: bool


def estimate(request: Request) -> Estimate | None:
    """Return the estimate; None for a network of timm's, whose cost only torch can count."""
    if not isinstance(request.spec.network, Network):
        return None
    one = spec_cost(request.spec)
    return estimate_by(request, macs=one.macs, params=one.params, activations=one.activations)


def estimate_by(request: Request, *, macs: int, params: int, activations: int) -> Estimate:
    """Return the estimate by the cost of the network for one image."""
    recipe, images = request.spec.recipe, request.settings.source.images
    busy = PASSES * macs * recipe.batch / MACS_PER_SECOND
    steps = recipe.epochs * (images // recipe.batch)
    memory = (
        CONTEXT
        + PER_ACTIVATION * activations * recipe.batch
        + PER_PARAMETER * params
        + 3 * images * recipe.image_size**2
    )
    return Estimate(
        seconds=steps * max(SHORTEST_STEP, busy), memory=memory, is_small=busy < SHORTEST_STEP / 2
    )
