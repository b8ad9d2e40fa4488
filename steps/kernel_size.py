"""Row 08: look further (paper, section 2.5)."""

from roadmap.edit import edit_units, is_spatial, units
from roadmap.errors import StepError
from roadmap.spec import Spec


def kernel_size(spec: Spec, kernel: int = 7) -> Spec:
    """Set the kernel size of the block's spatial convolution.

    A larger receptive field per block, towards that of attention. The paper finds that 7×7
    saturates: 5, 9 and 11 are side branches of row 08.
    """
    if not any(is_spatial(unit) for unit in units(spec)):
        raise StepError("step 'kernel_size' needs a convolution with a kernel above 1 in the block")
    if kernel < 3 or kernel % 2 == 0:
        raise StepError(f"step 'kernel_size' needs an odd kernel of 3 or more, got {kernel}")
    return edit_units(spec, is_spatial, kernel=kernel)
