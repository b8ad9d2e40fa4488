"""`roadmap prune`: remove checkpoints of finished runs, and runs that were moved aside."""

from __future__ import annotations

from experiments.launch.prune import Pruned, leftovers
from experiments.launch.prune import prune as remove
from roadmap.cli.console import DONE, FAILED, say, show
from roadmap.cli.workspace import Workspace


def prune(workspace: Workspace) -> int:
    """Remove what finished runs no longer need, or only list it. Fail if a run is damaged."""
    runs, keep = workspace.options.runs, workspace.options.keep
    if workspace.options.dry_run:
        pruned, verb = Pruned(removed=tuple(leftovers(runs, keep))), "can be removed"
    else:
        pruned, verb = remove(runs, keep), "removed"
    lines = [f"{leftover.bytes / 1e6:10.1f} MB  {leftover.path}" for leftover in pruned.removed]
    total = sum(leftover.bytes for leftover in pruned.removed)
    show("\n".join([*lines, f"{total / 1e6:10.1f} MB  {verb}"]))
    for fault in pruned.faults:
        say(fault)
    return FAILED if pruned.faults else DONE
