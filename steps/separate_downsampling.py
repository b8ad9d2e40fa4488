"""Row 13: downsample between the stages (paper, section 2.6)."""

from roadmap.edit import edit_network, replace
from roadmap.spec import Downsampling, Spec


def separate_downsampling(spec: Spec) -> Spec:
    """Put a 2×2 convolution with stride 2 between the stages, in place of strided blocks.

    Alone it diverges; a LayerNorm before each of these convolutions, one after the stem and one
    after the global average pool make it train. No block changes shape any more, so the projection
    shortcuts go.
    """
    stem = replace(spec.network.stem, final_norm="layer")
    return edit_network(spec, stem=stem, downsampling=Downsampling(), head_norm="layer")
