"""What a network costs: multiply-accumulates, parameters and activations, by layer and in total.

The counting rule is the paper's ("FLOPs" in its tables): multiply-accumulates of convolution and
linear weights; no bias, norm, activation, pooling or residual. Activations are the output elements
of convolution and linear layers per image. No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from roadmap.errors import Problem
from roadmap.kinds import LayerKind
from roadmap.plan import Layer, plan
from roadmap.spec import Network, Reference


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


def cost(network: Network | Reference, image_size: int = 224) -> Cost:
    """Walk the network for square RGB images of `image_size` pixels; a Problem if none fits."""
    if isinstance(network, Reference):
        raise Problem(f"timm:{network.timm} has no spec to walk; its cost is measured in its runs")
    try:
        return _remembered(network, image_size)
    except TypeError:  # an operation's parameters cannot be a key
        return walk(network, image_size)


def walk(network: Network, image_size: int) -> Cost:
    """The same, walked anew."""
    layers = tuple(layer_cost(layer) for layer in plan(network, image_size).layers())
    return Cost(
        layers=layers,
        macs=sum(each.macs for each in layers),
        params=sum(each.params for each in layers),
        activations=sum(each.activations for each in layers),
    )


_remembered = lru_cache(maxsize=256)(walk)  # a row is walked when it is made, then when asked


def layer_cost(layer: Layer) -> LayerCost:
    """The cost of one layer of a plan."""
    channels = layer.inputs[0]
    if layer.kind in (LayerKind.CONVOLUTION, LayerKind.LINEAR):
        weights = layer.outputs[0] * (channels // layer.groups) * layer.kernel**2
        positions = layer.outputs[1] * layer.outputs[2]
        bias = layer.outputs[0] if layer.bias else 0
        return LayerCost(
            layer=layer,
            macs=weights * positions,
            params=weights + bias,
            activations=prod(layer.outputs),
        )
    if layer.kind is LayerKind.OPERATION:
        return _operation_cost(layer)
    return LayerCost(layer=layer, macs=0, params=layer.kind.values * channels, activations=0)


def _operation_cost(layer: Layer) -> LayerCost:
    operation = layer.operation
    if operation.cost is None:
        raise Problem(
            f"operation {operation.operation!r} comes from a steps file of yours: add --steps FILE"
        )
    name = operation.operation
    try:
        found = operation.cost(*layer.inputs, **operation.parameters)
    except Exception as error:  # whatever the user's code raises
        raise Problem(
            f"the cost of operation {name!r} fails: {type(error).__name__}: {error}"
        ) from error
    keys = ("macs", "params", "activations")
    if not isinstance(found, dict) or set(found) != set(keys):
        raise Problem(f"the cost of operation {name!r} is {found!r}; needed: a dict of {keys}")
    if not all(isinstance(each, int) and each >= 0 for each in found.values()):
        raise Problem(f"the cost of operation {name!r} is {found!r}; needed: whole numbers")
    return LayerCost(layer=layer, **found)
