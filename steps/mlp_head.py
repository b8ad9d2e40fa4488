"""InceptionNeXt: a hidden layer before the classifier."""

from roadmap.edit import edit_network
from roadmap.spec import HeadMlp, Spec


def mlp_head(spec: Spec, expansion: int = 3) -> Spec:
    """Put a linear layer, GELU and a LayerNorm between the global average pool and the classifier.

    The norm before the head goes. The hidden layer is `expansion` times as wide as the last stage.
    It has many parameters and hardly any MACs, as it works on one position.
    """
    return edit_network(spec, head_mlp=HeadMlp(expansion=expansion), head_norm=None)
