"""The study designs by name. A new design is one module and one line here.

A design is a function from a roadmap, and parameters with types, to variants and contrasts. The
parameters are keys of a study's YAML file; limits stand in their types. A variant is a row like
any other. A contrast is a weighted sum of the variants' accuracies, so that one way of judging
serves all designs. A variant that the specs do not allow is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable

from steps.studies.contrast import Designed
from steps.studies.details import details
from steps.studies.grid import grid
from steps.studies.orders import orders
from steps.studies.paths import leave_one_out, one_at_a_time, path
from steps.studies.sweep import sweep

DESIGNS: dict[str, Callable[..., Designed]] = {
    "path": path,
    "leave_one_out": leave_one_out,
    "one_at_a_time": one_at_a_time,
    "orders": orders,
    "sweep": sweep,
    "grid": grid,
    "details": details,
}
