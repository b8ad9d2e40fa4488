"""Row 12: LayerNorm for BatchNorm (paper, section 2.6)."""

from roadmap.edit import edit_blocks, edit_network, is_convolution, replace
from roadmap.spec import Block, Norm, Spec, Unit


def layer_norm(spec: Spec) -> Spec:
    """Replace every BatchNorm by LayerNorm: per position, over channels, epsilon 1e-6.

    It frees the network from the batch's statistics. Convolutions of stem and branch get a bias,
    which BatchNorm had made pointless; the shortcut's projection has none in the paper's network.
    """
    network = spec.network
    stem = replace(
        network.stem, norm=_layer(network.stem.norm), final_norm=_layer(network.stem.final_norm),
        bias=True,
    )  # fmt: skip
    spec = edit_network(spec, stem=stem, head_norm=_layer(network.head_norm))
    if network.downsampling:
        between = replace(network.downsampling, norm=_layer(network.downsampling.norm))
        spec = edit_network(spec, downsampling=between)
    return edit_blocks(spec, _layer_block)


def _layer_block(block: Block) -> Block:
    units = tuple(_layer_unit(unit) for unit in block.units)
    return replace(block, units=units, shortcut_norm=_layer(block.shortcut_norm))


def _layer_unit(unit: Unit) -> Unit:
    if not is_convolution(unit):
        return unit
    return replace(unit, norm=_layer(unit.norm), bias=True)


def _layer(norm: Norm | None) -> Norm | None:
    return "layer" if norm else None
