"""Part of row 13: a learned factor per channel on every branch."""

from roadmap.edit import edit_network
from roadmap.spec import Spec


def layer_scale(spec: Spec, initial: float = 1e-6) -> Spec:
    """Layer scale: a learned factor per channel on each branch, starting at `initial`.

    Touvron et al., "Going deeper with image transformers", start it near zero. It is in the paper's
    recipe table and in the released ConvNeXt (1e-6), but was off by default in the code at
    submission; whether the paper's rows had it is unsettled. So it is a step of its own here.
    """
    return edit_network(spec, layer_scale=initial)
