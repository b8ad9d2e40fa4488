"""The four networks of "Can CNNs be more robust than transformers?"."""

from typing import Any, Literal

from roadmap.edit import edit_network
from roadmap.spec import Block, Convolution, Spec, Stage, Stem, Width

STRIDES = {"first": (1, 1, 1, 2), "last": (1, 1, 2, 1)}
Kind = Literal["depthwise", "inverted", "up_inverted", "down_inverted"]


def robust_cnn(spec: Spec, block: Kind, kernel: int, depths: tuple[int, ...]) -> Spec:
    """Build one of four networks from three ideas: patches, large kernels, fewer layers.

    Wang et al., 2023. The stem cuts the image into patches of 16 pixels. A block has one norm and
    one activation. One stage strides: the fourth at its first block, or the third at its last.
    """
    deep, wide, narrow = _unit(kernel), _unit(width="wide"), _unit(width="narrow")
    active = _unit(width="wide", activation="relu")
    normed: dict[str, Any] = {"norm": "batch", "activation": "relu"}
    units = {
        "depthwise": (_unit(width="narrow", norm="batch"), deep, wide),
        "inverted": (_unit(width="wide", **normed), deep, narrow),
        "up_inverted": (_unit(kernel, "narrow", norm="batch"), active, narrow),
        "down_inverted": (_unit(width="wide", **normed), narrow, deep),
    }[block]
    made = Block(units=units, shortcut_norm="batch", shortcut_bias=True,
                 activation="relu" if block == "depthwise" else None)  # fmt: skip
    place: Literal["first", "last"] = "last" if block == "down_inverted" else "first"
    stages = tuple(
        Stage(depth=depth, width=96 * 2**index, block=made, stride=stride, stride_in=place)
        for index, (depth, stride) in enumerate(zip(depths, STRIDES[place], strict=False))
    )
    stem = Stem(kernel=16, stride=16, bias=True)
    return edit_network(spec, stem=stem, stages=stages, downsampling=None, head_norm=None)


def _unit(kernel: int = 1, width: Width = "same", **rest: Any) -> Convolution:
    return Convolution(kernel=kernel, width=width, depthwise=kernel > 1, bias=True, **rest)
