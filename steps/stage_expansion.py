"""How much wider than its ends a block is, stage by stage."""

from roadmap.edit import edit_network, network_of, replace
from roadmap.errors import StepError, quoted
from roadmap.spec import Spec


def stage_expansion(spec: Spec, expansions: tuple[int, ...]) -> Spec:
    """Set how many times as wide as narrow the wide layers of each stage are.

    InceptionNeXt has (4, 4, 4, 3): the last stage is narrower inside and pays for the MLP head.
    """
    stages = network_of(spec).stages
    if len(expansions) != len(stages):
        raise StepError(
            f"step 'stage_expansion' needs one number per stage: {len(stages)}, got "
            f"{quoted(expansions)}"
        )
    changed = (
        replace(stage, block=replace(stage.block, expansion=expansion))
        for stage, expansion in zip(stages, expansions, strict=True)
    )
    return edit_network(spec, stages=tuple(changed))
