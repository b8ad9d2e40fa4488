"""Squeeze-and-excitation at the end of every block."""

from roadmap.edit import edit_blocks, replace
from roadmap.spec import Spec, SqueezeExcitation


def squeeze_and_excite(spec: Spec, squeeze: float = 0.25) -> Spec:
    """Multiply each channel at the end of a block by a factor from the means of all channels.

    Hu et al., "Squeeze-and-excitation networks", 2018. The hidden layer has `squeeze` times the
    block's outgoing channels. It has many parameters and few MACs.
    """
    added = (SqueezeExcitation(squeeze=squeeze),)
    return edit_blocks(spec, lambda block: replace(block, units=block.units + added))
