"""Row 11: one norm per block (paper, section 2.6)."""

from roadmap.edit import edit_units, is_convolution, is_spatial, units
from roadmap.errors import StepError
from roadmap.spec import Spec, Unit


def fewer_norms(spec: Spec) -> Spec:
    """Keep one norm per block: the one after the spatial convolution.

    A transformer block has even more norms than that. The norm of a projection shortcut stays.
    """
    if not any(is_spatial(unit) and unit.norm for unit in units(spec)):
        raise StepError("step 'fewer_norms' needs a norm after the block's spatial convolution")
    return edit_units(spec, _loses_its_norm, norm=None)


def _loses_its_norm(unit: Unit) -> bool:
    return is_convolution(unit) and not is_spatial(unit)
