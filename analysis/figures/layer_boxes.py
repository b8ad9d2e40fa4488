"""Boxes of a diagram, and the box of each kind of layer."""

from __future__ import annotations

from dataclasses import dataclass

from roadmap.plan import Layer

NAMES = {
    "batch_norm": "BatchNorm", "layer_norm": "LayerNorm", "relu": "ReLU", "gelu": "GELU",
    "response_norm": "response norm", "feature_norm": "LayerNorm",
}  # fmt: skip
NORMS = ("layer_scale", "response_norm", "feature_norm")


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
    if layer.kind == "average_window":
        text = f"average {layer.kernel}×{layer.kernel}, stride {layer.stride}"
        return Box(kind="activation", text=text)
    if layer.kind == "dropout":
        return Box(kind="activation", text=f"dropout {layer.initial:g}")
    if layer.kind == "parallel":
        kernels = "|".join(map(_kernel, layer.parts))
        detail = ", ".join(str(part.outputs[0]) for part in layer.parts)
        return Box(
            kind="depthwise",
            channels=layer.outputs[0],
            text=kernels + " depthwise" * (len(layer.parts) == 1),
            detail=f"{detail} of {layer.outputs[0]}",
        )
    if layer.kind == "squeeze_excitation":
        detail = " → ".join(str(part.inputs[0]) for part in layer.parts if part.kind != "relu")
        return Box(
            kind="operation",
            text="squeeze-excite",
            detail=f"{detail} → {layer.outputs[0]}",
            channels=layer.outputs[0],
        )
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
    is_norm = layer.kind.part == "norm" or layer.kind in NORMS
    text = NAMES.get(layer.kind, layer.kind.replace("_", " "))
    return Box(kind="norm" if is_norm else "activation", text=text)


def convolution_kind(layer: Layer) -> str:
    """Return `depthwise`, `k×k` or `1×1`."""
    if layer.groups > 1:
        return "depthwise"
    return "k×k" if layer.taps > 1 else "1×1"


def _kernel(layer: Layer) -> str:
    return f"{layer.kernel}×{layer.columns or layer.kernel}"


def _convolution(layer: Layer) -> Box:
    channels = f"{layer.inputs[0]} → {layer.outputs[0]}"
    groups = f", groups {layer.groups}" if layer.groups > 1 else ""
    stride = f", stride {layer.stride}" if layer.stride > 1 else ""
    kernel = _kernel(layer)
    kind = convolution_kind(layer)
    return Box(
        kind=kind,
        text=kernel + (" depthwise" if kind == "depthwise" else "") + stride,
        detail=channels + groups,
        channels=layer.outputs[0],
    )
