"""The four networks of "Can CNNs be more robust than transformers?"."""

from typing import Literal

from roadmap.edit import edit_network
from roadmap.spec import Block, Convolution, Spec, Stage, Stem

Kind = Literal["depthwise", "inverted", "up_inverted", "down_inverted"]


def robust_cnn(spec: Spec, block: Kind, kernel: int, depths: tuple[int, ...]) -> Spec:
    """Build one of four networks from three ideas: patches, large kernels, fewer layers.

    Wang et al., 2023. The stem cuts the image into patches of 16 pixels. A block has one norm and
    one activation. One stage strides: the fourth in its first block, or the third in its last one.
    """
    deep, wide, narrow = _unit(kernel), _unit(width="wide"), _unit(width="narrow")
    normed = {"norm": "batch", "activation": "relu"}
    units = {
        "depthwise": (_unit(width="narrow", norm="batch"), deep, wide),
        "inverted": (_unit(width="wide", **normed), deep, narrow),
        "up_inverted": (
            _unit(kernel, width="narrow", norm="batch"), _unit(width="wide", activation="relu"),
            narrow,
        ),
        "down_inverted": (_unit(width="wide", **normed), narrow, deep),
    }[block]  # fmt: skip
    made = Block(units=units, shortcut_norm="batch", shortcut_bias=True,
                 activation="relu" if block == "depthwise" else None)  # fmt: skip
    strided, place = (2, "last") if block == "down_inverted" else (3, "first")
    stages = tuple(
        Stage(depth=depth, width=96 * 2**index, block=made, stride=2 if index == strided else 1,
              stride_in=place) for index, depth in enumerate(depths)
    )  # fmt: skip
    stem = Stem(kernel=16, stride=16, bias=True)
    return edit_network(spec, stem=stem, stages=stages, downsampling=None, head_norm=None)


def _unit(kernel: int = 1, width: str = "same", **rest: str) -> Convolution:
    return Convolution(kernel=kernel, width=width, depthwise=kernel > 1, bias=True, **rest)
