"""Row 10: one activation per block (paper, section 2.6)."""

from roadmap.edit import edit_blocks, is_convolution, is_pointwise, replace
from roadmap.errors import StepError
from roadmap.spec import Block, Spec


def fewer_activations(spec: Spec) -> Spec:
    """Keep one activation per block: the one that feeds the last 1×1 convolution.

    A transformer's MLP has just one. The others go, and so does ResNet's activation after the
    residual addition (open in the text; likely from published code).
    """
    return edit_blocks(spec, _keep_one)


def _keep_one(block: Block) -> Block:
    places = [index for index, unit in enumerate(block.units) if is_convolution(unit)]
    pointwise = [index for index in places if is_pointwise(block.units[index])]
    feeding = [index for index in places if pointwise and index < pointwise[-1]]
    if not feeding or block.units[feeding[-1]].activation is None:
        raise StepError(
            "step 'fewer_activations' needs an activation before the block's last 1×1 convolution"
        )
    units = (
        replace(unit, activation=None) if is_convolution(unit) and index != feeding[-1] else unit
        for index, unit in enumerate(block.units)
    )
    return replace(block, units=tuple(units), activation=None)
