"""The kinds of layers, one line each. A new norm or activation is one line here.

No torch here: `module` names a class of `torch.nn` or of `roadmap.layers`, built as
`module(channels)` for a norm and `module()` for an activation.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Literal

Part = Literal["norm", "activation"]


class LayerKind(StrEnum):
    """A kind of layer; as a string it is its name in plans, such as `batch_norm`.

    Norms and activations also have the part they play, their word in a spec, their module, and
    the number of learned values per channel, which is their cost rule.
    """

    part: Part | None
    word: str
    module: str
    values: int

    #              name          part          word in a spec  module  learned values per channel
    BATCH_NORM = ("batch_norm", "norm", "batch", "BatchNorm2d", 2)
    LAYER_NORM = ("layer_norm", "norm", "layer", "ChannelNorm", 2)
    RELU = ("relu", "activation", "relu", "ReLU", 0)
    GELU = ("gelu", "activation", "gelu", "GELU", 0)
    CONVOLUTION = ("convolution",)
    LINEAR = ("linear",)
    TRANSPOSED_CONVOLUTION = ("transposed_convolution",)  # in heads only
    MAX_POOL = ("max_pool",)
    AVERAGE_POOL = ("average_pool",)
    FLATTEN = ("flatten",)
    LAYER_SCALE = ("layer_scale", None, "", "LayerScale", 1)
    RESPONSE_NORM = ("response_norm", None, "", "ResponseNorm", 2)
    FEATURE_NORM = ("feature_norm", None, "", "LayerNorm", 2)
    HEAD_NORM = ("head_norm", None, "", "GroupNorm", 2)  # a group norm, in heads only
    AVERAGE_WINDOW = ("average_window",)
    DROPOUT = ("dropout",)
    PARALLEL = ("parallel",)
    SQUEEZE_EXCITATION = ("squeeze_excitation",)
    OPERATION = ("operation",)
    ACTIVATION = ("activation",)  # any other: `Layer.module` names it

    def __new__(
        cls, name: str, part: Part | None = None, word: str = "", module: str = "", values: int = 0
    ) -> LayerKind:
        """Make a member whose string is its name."""
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.part, kind.word, kind.module, kind.values = part, word, module, values
        return kind


NORMS = {kind.word: kind for kind in LayerKind if kind.part == "norm"}
# Activations of `torch.nn` without learned values that are built without arguments.
TORCH_ACTIVATIONS = (
    "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "Mish", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink",
)  # fmt: skip
ACTIVATIONS = {kind.word: kind for kind in LayerKind if kind.part == "activation"}


def is_activation(word: str) -> bool:
    """Return whether a word is an activation: ours, one of `torch.nn`, or a module's whole name.

    A whole name is that of a class in any package, as in `timm.layers.HardMish`. Whether it exists
    is known when it is built.
    """
    return (
        word in ACTIVATIONS
        or word in TORCH_ACTIVATIONS
        or re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", word) is not None
    )
