"""ConvNeXt V2, second part: global response normalization."""

from roadmap.edit import edit_blocks, is_convolution, is_pointwise, replace
from roadmap.errors import StepError
from roadmap.spec import Block, ResponseNorm, Spec


def response_norm(spec: Spec, epsilon: float = 1e-6) -> Spec:
    """Put a global response norm before the last 1×1 convolution of each block.

    Woo et al., "ConvNeXt V2", 2023. Each channel's norm over all positions, relative to the mean of
    all channels, multiplies it: channels compete. It has two learned values per channel, which
    start at 0 and have no weight decay.
    """
    return edit_blocks(spec, lambda block: _with_response(block, epsilon))


def _with_response(block: Block, epsilon: float) -> Block:
    places = [index for index, unit in enumerate(block.units) if is_convolution(unit)]
    if len(places) < 2 or not is_pointwise(block.units[places[-1]]):
        raise StepError("step 'response_norm' needs a block that ends with a 1×1 convolution")
    before, after = block.units[: places[-1]], block.units[places[-1] :]
    return replace(block, units=(*before, ResponseNorm(epsilon=epsilon), *after))
