"""The opposite of row 12: BatchNorm instead of LayerNorm."""

from roadmap.edit import edit_blocks, edit_network, has_norm, network_of, replace
from roadmap.spec import Block, Spec, Unit


def batch_norm(spec: Spec) -> Spec:
    """Replace every LayerNorm of the stages with BatchNorm, which needs no pass of its own.

    In evaluation a BatchNorm can be merged into the convolution before it. InceptionNeXt uses it
    for speed. The norm of the head stays.
    """
    network = network_of(spec)
    stem, between = network.stem, network.downsampling
    norms = {"norm": _batch(stem.norm), "final_norm": _batch(stem.final_norm)}
    spec = edit_network(
        spec,
        stem=replace(stem, **norms),
        downsampling=between and replace(between, norm=_batch(between.norm)),
    )
    return edit_blocks(spec, _batch_block)


def _batch_block(block: Block) -> Block:
    units = tuple(map(_batch_unit, block.units))
    return replace(block, units=units, shortcut_norm=_batch(block.shortcut_norm))


def _batch_unit(unit: Unit) -> Unit:
    return replace(unit, norm=_batch(unit.norm)) if has_norm(unit) else unit


def _batch(norm: str | None) -> str | None:
    return "batch" if norm else None
