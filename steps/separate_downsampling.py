"""Row 13: downsample between the stages (paper, section 2.6)."""

from roadmap.edit import edit_network, network_of, replace
from roadmap.spec import Downsampling, Spec


def separate_downsampling(spec: Spec) -> Spec:
    """Put a 2×2 convolution with stride 2 between the stages, instead of strided blocks.

    This change alone makes training diverge. Three norms make it stable: a LayerNorm before each of
    these convolutions, one after the stem and one after the global average pool. Blocks no longer
    change the shape, so the projection shortcuts disappear.
    """
    stem = replace(network_of(spec).stem, final_norm="layer")
    return edit_network(spec, stem=stem, downsampling=Downsampling(), head_norm="layer")
