"""Row 10: one activation per block (paper, section 2.6)."""

from roadmap.edit import edit_blocks, is_convolution, is_pointwise, replace
from roadmap.errors import StepError
from roadmap.spec import Block, Spec


def fewer_activations(spec: Spec) -> Spec:
    """Keep one activation per block: the one before the last 1×1 convolution.

    A transformer's MLP also has only one. All others are removed, with ResNet's activation after
    the residual addition. The text does not say which one remains; published code suggests this.
    """
    return edit_blocks(spec, _keep_one)


def _keep_one(block: Block) -> Block:
    kept = _before_last_pointwise(block)
    units = (
        replace(unit, activation=None) if is_convolution(unit) and index != kept else unit
        for index, unit in enumerate(block.units)
    )
    return replace(block, units=tuple(units), activation=None)


def _before_last_pointwise(block: Block) -> int:
    convolutions = [(index, unit) for index, unit in enumerate(block.units) if is_convolution(unit)]
    while convolutions and not is_pointwise(convolutions[-1][1]):
        convolutions.pop()
    if len(convolutions) < 2 or convolutions[-2][1].activation is None:
        raise StepError(
            "step 'fewer_activations' needs an activation before the block's last 1×1 convolution"
        )
    return convolutions[-2][0]
