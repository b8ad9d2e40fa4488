"""How runs are computed, which does not identify them."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What one run gets: compute threads, and processes that load images."""

    threads: int
    workers: int

    @classmethod
    def shared_by(cls, jobs: int) -> Machine:
        """An even share of this machine's cores for each of `jobs` runs at a time."""
        each = max(1, cores() // jobs)
        return cls(threads=each, workers=max(1, min(8, each // 2)))


def cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
