"""InceptionNeXt, second part: a square kernel and two bands, each on a few channels."""

from roadmap.edit import edit_units, units
from roadmap.errors import StepError
from roadmap.spec import Branch, Parallel, Spec, Unit


def inception_mixer(spec: Spec, square: int = 3, band: int = 11, share: float = 0.125) -> Spec:
    """Put a square depthwise convolution next to a wide and a tall one, each on a few channels.

    Yu et al., "InceptionNeXt: when Inception meets ConvNeXt", 2023. The two bands give the block a
    large receptive field at the cost of a small kernel. All other channels pass unchanged.
    """
    if not any(isinstance(unit, Parallel) for unit in units(spec)):
        raise StepError("step 'inception_mixer' needs 'partial_depthwise' before it")
    branches = (
        Branch(kernel=square, share=share),
        Branch(kernel=1, columns=band, share=share),
        Branch(kernel=band, columns=1, share=share),
    )
    return edit_units(spec, _is_parallel, branches=branches)


def _is_parallel(unit: Unit) -> bool:
    return isinstance(unit, Parallel)
