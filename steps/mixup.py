"""Images and labels mixed in pairs."""

from roadmap.edit import replace
from roadmap.spec import Spec


def mixup(spec: Spec, alpha: float = 0.2) -> Spec:
    """Mix each training image with another one, and their labels in the same ratio.

    Zhang et al., "mixup", 2018. The ratio is drawn from a beta distribution with `alpha`. It needs
    more epochs.
    """
    return replace(spec, recipe=replace(spec.recipe, mixup=alpha))
