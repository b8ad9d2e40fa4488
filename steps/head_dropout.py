"""Dropout before the classifier."""

from roadmap.edit import edit_network
from roadmap.spec import Spec


def head_dropout(spec: Spec, rate: float = 0.25) -> Spec:
    """Set features to 0 at random before the classifier during training.

    Srivastava et al., "Dropout", 2014. It acts on pooled features only, with the probability
    `rate`.
    """
    return edit_network(spec, head_dropout=rate)
