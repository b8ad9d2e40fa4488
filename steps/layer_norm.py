"""Row 12: LayerNorm instead of BatchNorm (paper, section 2.6)."""

from roadmap.edit import edit_blocks, edit_network, has_norm, network_of, replace
from roadmap.spec import Block, Spec, Unit


def layer_norm(spec: Spec) -> Spec:
    """Replace every BatchNorm with LayerNorm: per position, over channels, epsilon 1e-6.

    The network no longer depends on the statistics of the batch. Convolutions of stem and branch
    get a bias, which had no effect before a BatchNorm. The projection of the shortcut has no bias
    in the paper's network.
    """
    network = network_of(spec)
    stem, between = network.stem, network.downsampling
    norms = {"norm": _layer(stem.norm), "final_norm": _layer(stem.final_norm)}
    spec = edit_network(
        spec,
        stem=replace(stem, **norms, bias=True),
        head_norm=_layer(network.head_norm),
        downsampling=between and replace(between, norm=_layer(between.norm)),
    )
    return edit_blocks(spec, _layer_block)


def _layer_block(block: Block) -> Block:
    units = tuple(_layer_unit(unit) for unit in block.units)
    return replace(block, units=units, shortcut_norm=_layer(block.shortcut_norm))


def _layer_unit(unit: Unit) -> Unit:
    return replace(unit, norm=_layer(unit.norm), bias=True) if has_norm(unit) else unit


def _layer(norm: str | None) -> str | None:
    return "layer" if norm else None
