"""`roadmap prune`: remove checkpoints of finished runs, and runs that were moved aside."""

from __future__ import annotations

from experiments.launch.prune import leftovers
from experiments.launch.prune import prune as remove
from roadmap.cli.console import DONE, show
from roadmap.cli.workspace import Workspace


def prune(workspace: Workspace) -> int:
    """Remove what finished runs no longer need, or only list it."""
    options = workspace.options
    work = leftovers if options.dry_run else remove
    going = work(options.runs, options.keep)
    lines = [f"{leftover.bytes / 1e6:10.1f} MB  {leftover.path}" for leftover in going]
    verb = "can be removed" if options.dry_run else "removed"
    total = sum(leftover.bytes for leftover in going)
    show("\n".join([*lines, f"{total / 1e6:10.1f} MB  {verb}"]))
    return DONE
