"""Stochastic depth."""

from roadmap.edit import edit_network
from roadmap.spec import Spec


def drop_path(spec: Spec, rate: float = 0.2) -> Spec:
    """Skip residual branches at random during training, later ones more often.

    Huang et al., "Deep networks with stochastic depth", 2016. `rate` is that of the last block; it
    grows linearly from 0 at the first one.
    """
    return edit_network(spec, drop_path=rate)
