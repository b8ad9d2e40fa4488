"""InceptionNeXt, first part: a depthwise convolution over a share of the channels."""

from typing import Any

from roadmap.edit import edit_blocks, is_depthwise, replace
from roadmap.errors import StepError
from roadmap.spec import Block, Branch, Convolution, Parallel, Spec, Unit


def partial_depthwise(spec: Spec, share: float) -> Spec:
    """Convolve only a share of the channels; the others pass unchanged.

    Yu et al., "InceptionNeXt: when Inception meets ConvNeXt", 2023. A depthwise convolution has few
    MACs but moves much memory. With fewer channels it is faster, and the accuracy drops slowly.
    """
    return edit_blocks(spec, lambda block: _partial(block, share))


def _partial(block: Block, share: float) -> Block:
    if not any(_mixes(unit) for unit in block.units):
        raise StepError("step 'partial_depthwise' needs a depthwise convolution of unchanged width")
    return replace(block, units=tuple(_changed(unit, share) for unit in block.units))


def _mixes(unit: Unit) -> bool:
    return isinstance(unit, Parallel) or (is_depthwise(unit) and unit.width == "same")


def _changed(unit: Unit, share: float) -> Unit:
    if isinstance(unit, Parallel):
        (*_, last) = unit.branches
        return replace(unit, branches=(replace(last, share=share),))
    if not isinstance(unit, Convolution) or not _mixes(unit):
        return unit
    branch = Branch(kernel=unit.kernel, share=share)
    kept: dict[str, Any] = {"bias": unit.bias, "norm": unit.norm, "activation": unit.activation}
    return Parallel(branches=(branch,), **kept)
