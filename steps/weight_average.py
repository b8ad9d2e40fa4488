"""An average of the weights."""

from roadmap.edit import replace
from roadmap.spec import Spec


def weight_average(spec: Spec, decay: float = 0.9999) -> Spec:
    """Validate a moving average of the weights instead of the last ones.

    Polyak and Juditsky, 1992. After every step the average moves towards the weights by 1 minus
    `decay`.
    """
    return replace(spec, recipe=replace(spec.recipe, ema=decay))
