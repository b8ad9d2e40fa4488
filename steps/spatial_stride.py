"""ResNet-B: where a strided block strides."""

from roadmap.edit import edit_blocks, replace
from roadmap.spec import Spec


def spatial_stride(spec: Spec) -> Spec:
    """Move the stride of a block from its first 1×1 convolution to its 3×3 convolution.

    A 1×1 convolution with stride 2 never looks at three quarters of its input; the 3×3 one looks at
    all of it. He et al. call the result ResNet-B; it is also known as ResNet v1.5.
    """
    return edit_blocks(spec, lambda block: replace(block, stride_at="spatial"))
