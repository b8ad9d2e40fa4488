"""Row 03: cut the image into patches (paper, section 2.2)."""

from roadmap.edit import edit_network, network_of
from roadmap.spec import Spec, Stem


def patchify_stem(spec: Spec, patch: int = 4) -> Spec:
    """Replace the stem with one convolution over patches that do not overlap.

    A 4×4 convolution with stride 4 and a bias replaces the 7×7 stride-2 convolution and the
    max-pool, as in a vision transformer. It has no norm and no activation. The text does not say
    this; published code suggests it.
    """
    kept = network_of(spec).stem.final_norm
    return edit_network(spec, stem=Stem(kernel=patch, stride=patch, bias=True, final_norm=kept))
