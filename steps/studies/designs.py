"""Study designs: which variants of a roadmap to train, and what their differences ask.

A variant is a row like any other. A contrast is a weighted sum of variants' accuracies, so that one
way of judging serves all designs. What the specs do not allow is left out, with the reason.
"""

from __future__ import annotations

from steps.studies.grid import grid
from steps.studies.orders import orders
from steps.studies.paths import leave_one_out, one_at_a_time, path
from steps.studies.sweep import sweep

DESIGNS = {
    "path": path,
    "leave_one_out": leave_one_out,
    "one_at_a_time": one_at_a_time,
    "orders": orders,
    "sweep": sweep,
    "grid": grid,
}
