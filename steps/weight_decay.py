"""Less or more decay of the weights."""

from roadmap.edit import replace
from roadmap.spec import Spec


def weight_decay(spec: Spec, amount: float) -> Spec:
    """Set the weight decay.

    Bello et al., "Revisiting ResNets", 2021, lower it when several other regularizers are in use:
    too much regularization costs accuracy.
    """
    return replace(spec, recipe=replace(spec.recipe, weight_decay=amount))
