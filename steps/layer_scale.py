"""Part of row 13: a learned factor per channel on every branch."""

from roadmap.edit import edit_network
from roadmap.spec import Spec


def layer_scale(spec: Spec, initial: float = 1e-6) -> Spec:
    """Scale each branch by a learned factor per channel that starts near zero.

    Touvron et al., "Going deeper with image transformers". It is in the paper's recipe table and in
    the released ConvNeXt, but was off by default in the code at submission; whether the paper's
    rows had it is unsettled. It is a step of its own here, which row 13 applies.
    """
    return edit_network(spec, layer_scale=initial)
