"""Random image operations."""

from roadmap.edit import replace
from roadmap.spec import Spec


def randaugment(spec: Spec, policy: str) -> Spec:
    """Apply a few random operations to each training image, all of the same strength.

    Cubuk et al., "RandAugment", 2019. `policy` is in timm's notation: n operations of magnitude
    m, as in rand-m10-n2.
    """
    return replace(spec, recipe=replace(spec.recipe, randaugment=policy))
