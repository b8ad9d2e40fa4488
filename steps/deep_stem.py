"""ResNet-C: three small convolutions instead of one large one in the stem."""

from typing import Any

from roadmap.edit import edit_network, network_of, replace
from roadmap.spec import Spec, StemConvolution


def deep_stem(spec: Spec, replace_pool: bool = False) -> Spec:
    """Replace the 7×7 convolution of the stem with three 3×3 ones; the first two are half as wide.

    He et al., "Bag of tricks", call it ResNet-C. With `replace_pool` a fourth one with stride 2
    stands in for the max-pool, as in ResNet-RS.
    """
    stem = network_of(spec).stem
    kept: dict[str, Any] = {"bias": stem.bias, "norm": stem.norm, "activation": stem.activation}
    before = [
        StemConvolution(kernel=3, stride=2, share=0.5, **kept),
        StemConvolution(kernel=3, share=0.5, **kept),
    ]
    changes: dict[str, Any] = {"kernel": 3, "stride": 1}
    if replace_pool:
        before.append(StemConvolution(kernel=3, **kept))
        changes = {"kernel": 3, "stride": 2, "max_pool": False}
    return edit_network(spec, stem=replace(stem, before=tuple(before), **changes))
