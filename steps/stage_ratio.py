"""Row 02: distribute the blocks over the stages as in Swin (paper, section 2.2)."""

from roadmap.edit import edit_network, network_of, replace
from roadmap.errors import StepError, quoted
from roadmap.spec import Spec


def stage_ratio(spec: Spec, depths: tuple[int, ...]) -> Spec:
    """Change the number of blocks in each stage.

    ResNet-50's (3, 4, 6, 3) becomes (3, 3, 9, 3): the ratio 1 : 1 : 3 : 1 and the MACs of Swin-T.
    """
    stages = network_of(spec).stages
    if len(depths) != len(stages):
        raise StepError(
            f"step 'stage_ratio' needs one depth per stage: {len(stages)}, got {quoted(depths)}"
        )
    changed = (replace(stage, depth=depth) for stage, depth in zip(stages, depths, strict=True))
    return edit_network(spec, stages=tuple(changed))
