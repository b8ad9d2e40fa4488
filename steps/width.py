"""Row 05: as wide as Swin-T (paper, section 2.3)."""

from roadmap.edit import edit_network, replace
from roadmap.errors import StepError
from roadmap.spec import Spec


def width(spec: Spec, width: int) -> Spec:
    """Set the first stage's width; the others, and the stem, follow in proportion.

    Spends on channels what depthwise convolution saved: in the paper 64 becomes 96, as in Swin-T.
    """
    stages = spec.network.stages
    first = stages[0].width
    scaled = [stage.width * width for stage in stages]
    if any(each % first for each in scaled):
        raise StepError(f"step 'width' needs whole widths; {width} / {first} leaves a fraction")
    changed = (
        replace(stage, width=each // first) for stage, each in zip(stages, scaled, strict=True)
    )
    return edit_network(spec, stages=tuple(changed))
