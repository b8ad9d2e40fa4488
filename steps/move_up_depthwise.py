"""Row 07: space first, then channels (paper, section 2.5)."""

from roadmap.edit import edit_blocks, is_convolution, is_depthwise, replace
from roadmap.errors import StepError
from roadmap.spec import Block, Spec, Unit


def move_up_depthwise(spec: Spec) -> Spec:
    """Move the depthwise convolution to the front of the block.

    In a transformer attention also comes before the MLP. The convolution now works on the block's
    incoming width. It becomes cheap, which makes large kernels affordable. Its norm moves with it.
    Activations keep their places in the block, so that this step and `fewer_activations` commute.
    """
    return edit_blocks(spec, _move_up)


def _move_up(block: Block) -> Block:
    moving: list[Unit] = [replace(unit, width="same") for unit in block.units if is_depthwise(unit)]
    if not moving:
        raise StepError(
            "step 'move_up_depthwise' needs a depthwise convolution in the block: "
            "apply 'depthwise' before it"
        )
    activations = iter([unit.activation for unit in block.units if is_convolution(unit)])
    ordered = moving + [unit for unit in block.units if not is_depthwise(unit)]
    placed = (
        replace(unit, activation=next(activations)) if is_convolution(unit) else unit
        for unit in ordered
    )
    return replace(block, units=tuple(placed))
