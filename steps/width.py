"""Row 05: as wide as Swin-T (paper, section 2.3)."""

from roadmap.edit import edit_network, network_of, replace
from roadmap.errors import StepError
from roadmap.spec import Spec


def width(spec: Spec, width: int) -> Spec:
    """Set the width of the first stage; the stem and the other stages scale with it.

    The wider network uses the MACs that the depthwise convolution saved. In the paper the width
    grows from 64 to 96, as in Swin-T.
    """
    stages = network_of(spec).stages
    first = stages[0].width
    scaled = [stage.width * width for stage in stages]
    if any(product % first for product in scaled):
        raise StepError(f"step 'width' needs whole widths; {width} / {first} leaves a fraction")
    changed = (
        replace(stage, width=product // first)
        for stage, product in zip(stages, scaled, strict=True)
    )
    return edit_network(spec, stages=tuple(changed))
