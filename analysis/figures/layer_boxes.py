"""Boxes of a diagram, and the box of each kind of layer."""

from __future__ import annotations

from dataclasses import dataclass

from roadmap.plan import Layer

NAMES = {"batch_norm": "BatchNorm", "layer_norm": "LayerNorm", "relu": "ReLU", "gelu": "GELU"}


@dataclass(frozen=True, kw_only=True)
class Box:
    """One layer, or one part of a network; `change` is `new` or `gone` against the row before.

    `kind` is k×k, depthwise, 1×1, norm, activation, operation or part. `channels` counts the
    outputs; it is 0 where that says nothing.
    """

    kind: str
    text: str
    detail: str = ""
    channels: int = 0
    change: str = ""


def box(layer: Layer) -> Box:
    """Return a layer as a box."""
    if layer.kind == "convolution":
        return _convolution(layer)
    if layer.kind == "linear":
        detail = f"{layer.inputs[0]} → {layer.outputs[0]}"
        return Box(kind="part", text="linear", detail=detail)
    if layer.kind == "max_pool":
        text = f"max-pool {layer.kernel}×{layer.kernel}, stride {layer.stride}"
        return Box(kind="activation", text=text)
    if layer.operation is not None:
        settings = layer.operation.parameters.items()
        return Box(
            kind="operation",
            text=layer.operation.operation,
            detail=", ".join(f"{name} {setting}" for name, setting in settings),
            channels=layer.outputs[0],
        )
    if layer.module:
        return Box(kind="activation", text=layer.module.rpartition(".")[2])
    is_norm = layer.kind.part == "norm" or layer.kind == "layer_scale"
    text = NAMES.get(layer.kind, layer.kind.replace("_", " "))
    return Box(kind="norm" if is_norm else "activation", text=text)


def convolution_kind(layer: Layer) -> str:
    """Return `depthwise`, `k×k` or `1×1`."""
    if layer.groups > 1:
        return "depthwise"
    return "k×k" if layer.kernel > 1 else "1×1"


def _convolution(layer: Layer) -> Box:
    channels = f"{layer.inputs[0]} → {layer.outputs[0]}"
    groups = f", groups {layer.groups}" if layer.groups > 1 else ""
    stride = f", stride {layer.stride}" if layer.stride > 1 else ""
    kernel = f"{layer.kernel}×{layer.kernel}"
    kind = convolution_kind(layer)
    return Box(
        kind=kind,
        text=kernel + (" depthwise" if kind == "depthwise" else "") + stride,
        detail=channels + groups,
        channels=layer.outputs[0],
    )
