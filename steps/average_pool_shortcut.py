"""ResNet-D: shortcuts that average before they project."""

from roadmap.edit import edit_blocks, replace
from roadmap.spec import Spec


def average_pool_shortcut(spec: Spec) -> Spec:
    """Put a 2×2 average pool before the 1×1 projection of a strided shortcut.

    The projection with stride 2 ignores three quarters of its input. He et al., "Bag of tricks",
    call the result, with the deep stem, ResNet-D. It adds neither parameters nor MACs.
    """
    return edit_blocks(spec, lambda block: replace(block, shortcut="average_pool"))
