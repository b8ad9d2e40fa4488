"""Part of row 13: a learned factor per channel on every branch."""

from roadmap.edit import edit_network
from roadmap.spec import Spec


def layer_scale(spec: Spec, initial: float = 1e-6) -> Spec:
    """Multiply each branch by a learned factor per channel that starts at `initial`.

    Touvron et al., "Going deeper with image transformers", start layer scale near zero. The paper's
    recipe table and the released ConvNeXt have it (1e-6). The code at submission turned it off by
    default, so it is unknown whether the paper's rows had it. Therefore it is a separate step.
    """
    return edit_network(spec, layer_scale=initial)
