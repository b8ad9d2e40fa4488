"""Count multiply-accumulates, parameters and activations of a network, by layer and in total.

The counting rule is the paper's ("FLOPs" in its tables): multiply-accumulates of convolution and
linear weights, without bias, norm, activation, pooling or residual. Activations are the output
elements of convolution and linear layers for one image. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from roadmap.errors import Problem, quoted
from roadmap.kinds import LayerKind
from roadmap.plan import Layer, Size, plan
from roadmap.spec import Network, Operation, Reference

WEIGHTED = (LayerKind.CONVOLUTION, LayerKind.LINEAR, LayerKind.TRANSPOSED_CONVOLUTION)


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer's cost; MACs and activations are for one image."""

    layer: Layer
    macs: int
    params: int
    activations: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A network's cost for one image; `gmacs` = MACs / 1e9."""

    layers: tuple[LayerCost, ...]
    macs: int
    params: int
    activations: int

    @property
    def gmacs(self) -> float:
        """Billions of multiply-accumulates."""
        return self.macs / 1e9


def cost(network: Network | Reference, image_size: Size = 224) -> Cost:
    """Return the cost for RGB images of `image_size` pixels; a Problem if none fit."""
    if isinstance(network, Reference):
        raise Problem(f"timm:{network.timm} has no spec to walk; its cost is measured in its runs")
    try:
        return _remembered(network, image_size)
    except TypeError:  # an operation's parameters cannot be a key
        return walk(network, image_size)


def walk(network: Network, image_size: Size) -> Cost:
    """Return the same without the cache."""
    return total(plan(network, image_size).layers())


def total(planned: Iterable[Layer]) -> Cost:
    """Return the cost of layers."""
    layers = tuple(map(layer_cost, planned))
    return Cost(
        layers=layers,
        macs=sum(layer.macs for layer in layers),
        params=sum(layer.params for layer in layers),
        activations=sum(layer.activations for layer in layers),
    )


_remembered = lru_cache(maxsize=256)(walk)  # a row is walked when it is made and when it is shown


def layer_cost(layer: Layer) -> LayerCost:
    """Return the cost of one layer of a plan."""
    channels = layer.inputs[0]
    if layer.kind in WEIGHTED:
        weights = layer.outputs[0] * (channels // layer.groups) * layer.taps
        transposed = layer.kind == LayerKind.TRANSPOSED_CONVOLUTION
        _, rows, columns = layer.inputs if transposed else layer.outputs
        positions = rows * columns  # at each of which all weights are used once
        bias = layer.outputs[0] if layer.bias else 0
        return LayerCost(
            layer=layer,
            macs=weights * positions,
            params=weights + bias,
            activations=prod(layer.outputs),
        )
    if layer.operation is not None:
        return _operation_cost(layer, layer.operation)
    return LayerCost(layer=layer, macs=0, params=layer.kind.values * channels, activations=0)


def _operation_cost(layer: Layer, operation: Operation) -> LayerCost:
    name = operation.operation
    if operation.cost is None:
        raise Problem(f"operation {name!r} comes from a steps file of yours: add --steps FILE")
    try:
        costs = operation.cost(*layer.inputs, **operation.parameters)
    except Exception as error:  # any exception of the user's code
        raise Problem(
            f"the cost of operation {name!r} fails: {type(error).__name__}: {error}"
        ) from error
    keys = ("macs", "params", "activations")
    wrong = f"the cost of operation {name!r} is {quoted(costs)}"
    if not isinstance(costs, dict) or set(costs) != set(keys):
        raise Problem(f"{wrong}; needed: a dict of {keys}")
    if not all(isinstance(number, int) and number >= 0 for number in costs.values()):
        raise Problem(f"{wrong}; needed: whole numbers")
    return LayerCost(layer=layer, **costs)
