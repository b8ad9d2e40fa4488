"""Depths and widths of all stages, for families of networks."""

from roadmap.edit import edit_network, network_of, replace
from roadmap.errors import StepError, quoted
from roadmap.spec import Spec


def network_size(
    spec: Spec, depths: tuple[int, ...], width: int, drop_path: float | None = None
) -> Spec:
    """Set the number of blocks of each stage and the width of the first one; widths double.

    Larger networks of a family have more of both, and more stochastic depth; None keeps its rate.
    """
    network = network_of(spec)
    if len(depths) != len(network.stages):
        raise StepError(
            f"step 'network_size' needs one depth per stage: {len(network.stages)}, got "
            f"{quoted(depths)}"
        )
    stages = (
        replace(stage, depth=depth, width=width * 2**index)
        for index, (stage, depth) in enumerate(zip(network.stages, depths, strict=True))
    )
    rate = network.drop_path if drop_path is None else drop_path
    return edit_network(spec, stages=tuple(stages), drop_path=rate)
