"""The length of training."""

from roadmap.edit import replace
from roadmap.spec import Spec


def epochs(spec: Spec, epochs: int) -> Spec:
    """Train for another number of epochs.

    Decay steps and warm-up keep their epochs. Longer training helps strong augmentation and hurts
    without it.
    """
    return replace(spec, recipe=replace(spec.recipe, epochs=epochs))
