"""One resolution from the stem to the head, as in a vision transformer."""

from roadmap.edit import edit_network, network_of, replace
from roadmap.spec import Spec, Stage, Stem


def isotropic(spec: Spec, depth: int = 18, width: int = 384, patch: int = 16) -> Spec:
    """Use `depth` equal blocks at one resolution, after a stem that cuts the image into patches.

    The paper's section 3.3 compares such networks with vision transformers of the same size. The
    stem has no norm, the blocks have no layer scale, and nothing downsamples between them.
    """
    network = network_of(spec)
    block = replace(network.stages[-1].block, shortcut_norm=None)
    return edit_network(
        spec,
        stem=Stem(kernel=patch, stride=patch, bias=True),
        stages=(Stage(depth=depth, width=width, block=block),),
        downsampling=None,
        layer_scale=None,
    )
