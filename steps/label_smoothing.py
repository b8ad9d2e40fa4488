"""Labels that are not quite certain."""

from roadmap.edit import replace
from roadmap.spec import Spec


def label_smoothing(spec: Spec, amount: float = 0.1) -> Spec:
    """Give the share `amount` of each label's probability to all classes alike.

    Szegedy et al., "Rethinking the Inception architecture", 2016. The network stops enlarging its
    logits once a class is clearly ahead.
    """
    return replace(spec, recipe=replace(spec.recipe, label_smoothing=amount))
