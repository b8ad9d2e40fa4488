"""A learning rate that falls along a cosine."""

from roadmap.edit import replace
from roadmap.spec import Spec


def cosine_schedule(spec: Spec, final: float = 0.0) -> Spec:
    """Let the learning rate fall along half a cosine instead of in steps.

    Loshchilov and Hutter, "SGDR", 2017. The rate falls slowly at first and at the end, and it has
    no step to choose. It ends at `final`.
    """
    return replace(spec, recipe=replace(spec.recipe, schedule="cosine", final_learning_rate=final))
