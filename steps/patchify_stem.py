"""Row 03: cut the image into patches (paper, section 2.2)."""

from roadmap.edit import edit_network
from roadmap.spec import Spec, Stem


def patchify_stem(spec: Spec, patch: int = 4) -> Spec:
    """Replace the stem by one non-overlapping convolution: patches, as in a vision transformer.

    A 4×4 convolution with stride 4 and a bias stands in for the 7×7 stride-2 convolution and the
    max-pool. It has no norm and no activation (open in the text; likely from published code).
    """
    kept = spec.network.stem.final_norm
    return edit_network(spec, stem=Stem(kernel=patch, stride=patch, bias=True, final_norm=kept))
