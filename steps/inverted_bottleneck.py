"""Row 06: wide in the middle (paper, section 2.4)."""

from roadmap.edit import edit_blocks, is_convolution, replace
from roadmap.errors import StepError
from roadmap.spec import Block, Spec, Unit

SWAPPED = {"narrow": "wide", "wide": "narrow", "same": "same"}


def inverted_bottleneck(spec: Spec) -> Spec:
    """Swap narrow and wide: a block's middle is four times as wide as its ends.

    As the MLP of a transformer, and MobileNetV2's block. Shortcuts become narrow, which saves more
    than the wider depthwise convolution costs.
    """
    return edit_blocks(spec, _invert)


def _invert(block: Block) -> Block:
    named = [unit.width for unit in block.units if is_convolution(unit) and unit.width != "same"]
    if not named or named[-1] != "wide" or "narrow" not in named:
        raise StepError(
            "step 'inverted_bottleneck' needs a block that narrows inside and ends wide; "
            "this one does not: is it inverted already?"
        )
    return replace(block, units=tuple(_swap(unit) for unit in block.units))


def _swap(unit: Unit) -> Unit:
    return replace(unit, width=SWAPPED[unit.width]) if is_convolution(unit) else unit
