"""Row 08: a larger kernel (paper, section 2.5)."""

from roadmap.edit import edit_units, is_spatial, units
from roadmap.errors import StepError
from roadmap.spec import Spec


def kernel_size(spec: Spec, kernel: int = 7) -> Spec:
    """Set the kernel size of the block's spatial convolution.

    Each block gets a larger receptive field, closer to that of attention. In the paper larger
    kernels stop helping at 7×7. Kernels of 5, 9 and 11 are side branches of row 08.
    """
    if not any(is_spatial(unit) for unit in units(spec)):
        raise StepError("step 'kernel_size' needs a convolution with a kernel above 1 in the block")
    if kernel < 3 or kernel % 2 == 0:
        raise StepError(f"step 'kernel_size' needs an odd kernel of 3 or more, got {kernel}")
    return edit_units(spec, is_spatial, kernel=kernel)
