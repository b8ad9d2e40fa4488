"""How runs are computed, which does not identify them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


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


def default_jobs() -> int:
    """Runs at a time: one where a GPU computes, else one a core, at most 8.

    Small networks leave a second thread half idle: on two cores, two runs of one thread do about
    1.6 times as much as one run of two (docs/decisions.md).
    """
    has_gpu = Path("/proc/driver/nvidia/gpus").exists() or platform.system() == "Darwin"
    return 1 if has_gpu else min(8, cores())
