"""Row 06: wide in the middle (paper, section 2.4)."""

from roadmap.edit import edit_blocks, is_convolution, replace
from roadmap.errors import StepError
from roadmap.spec import Block, Spec, Unit

SWAPPED = {"narrow": "wide", "wide": "narrow", "same": "same"}


def inverted_bottleneck(spec: Spec) -> Spec:
    """Swap narrow and wide, so that the middle of a block is four times as wide as its ends.

    The MLP of a transformer and the block of MobileNetV2 have this shape. Shortcuts become narrow,
    which saves more than the wider depthwise convolution costs.
    """
    return edit_blocks(spec, _invert)


def _invert(block: Block) -> Block:
    widths = [unit.width for unit in block.units if is_convolution(unit) and unit.width != "same"]
    if not widths or widths[-1] != "wide" or "narrow" not in widths:
        raise StepError(
            "step 'inverted_bottleneck' needs a block that narrows inside and ends wide; "
            "this one does not: is it inverted already?"
        )
    return replace(block, units=tuple(_swap(unit) for unit in block.units))


def _swap(unit: Unit) -> Unit:
    return replace(unit, width=SWAPPED[unit.width]) if is_convolution(unit) else unit
