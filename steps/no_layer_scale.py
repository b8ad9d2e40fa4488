"""ConvNeXt V2, first part: no layer scale."""

from roadmap.edit import edit_network
from roadmap.spec import Spec


def no_layer_scale(spec: Spec) -> Spec:
    """Remove the learned factor per channel at the end of each branch.

    Woo et al., "ConvNeXt V2", 2023, found that it is not needed once a global response norm is in
    the block.
    """
    return edit_network(spec, layer_scale=None)
