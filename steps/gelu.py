"""Row 09: GELU instead of ReLU (paper, section 2.6)."""

from roadmap.edit import edit_blocks, edit_network, has_norm, network_of, replace
from roadmap.spec import Block, Spec


def gelu(spec: Spec) -> Spec:
    """Replace every ReLU with GELU, the smoother activation of transformers.

    In the paper the accuracy does not change. The step makes the network more like a transformer.
    """
    stem = network_of(spec).stem
    smooth = replace(stem, activation=_smooth(stem.activation))
    return edit_blocks(edit_network(spec, stem=smooth), _smooth_block)


def _smooth_block(block: Block) -> Block:
    units = (
        replace(unit, activation=_smooth(unit.activation)) if has_norm(unit) else unit
        for unit in block.units
    )
    return replace(block, units=tuple(units), activation=_smooth(block.activation))


def _smooth(activation: str | None) -> str | None:
    return "gelu" if activation == "relu" else activation
