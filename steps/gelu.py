"""Row 09: GELU for ReLU (paper, section 2.6)."""

from roadmap.edit import edit_blocks, edit_network, is_convolution, replace
from roadmap.spec import Block, Spec


def gelu(spec: Spec) -> Spec:
    """Replace every ReLU by GELU, the smoother activation of transformers.

    Accuracy does not move in the paper; it is done for the sake of the likeness.
    """
    stem = replace(spec.network.stem, activation=_smooth(spec.network.stem.activation))
    return edit_blocks(edit_network(spec, stem=stem), _smooth_block)


def _smooth_block(block: Block) -> Block:
    units = (
        replace(unit, activation=_smooth(unit.activation)) if is_convolution(unit) else unit
        for unit in block.units
    )
    return replace(block, units=tuple(units), activation=_smooth(block.activation))


def _smooth(activation: str | None) -> str | None:
    return "gelu" if activation == "relu" else activation
