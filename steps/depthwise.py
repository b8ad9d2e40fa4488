"""Row 04: one filter per channel (paper, section 2.3)."""

from roadmap.edit import edit_units, is_spatial, units
from roadmap.errors import StepError
from roadmap.spec import Spec


def depthwise(spec: Spec) -> Spec:
    """Make the spatial convolution depthwise: one group per channel.

    This separates mixing positions (depthwise) from mixing channels (1×1), as self-attention does.
    It is ResNeXt with as many groups as channels. It costs accuracy and saves most of the MACs;
    `width` spends them.
    """
    if not any(is_spatial(unit) for unit in units(spec)):
        raise StepError("step 'depthwise' needs a convolution with a kernel above 1 in the block")
    return edit_units(spec, is_spatial, depthwise=True)
