"""What this process may use of the machine: cores and memory, also in a container or SLURM job.

A container's limits are those of its control group (cgroup v1 or v2) and of all groups above it.
`root` is where the file system begins; tests give another one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def cores(root: Path = ROOT) -> int:
    """Return the number of cores to use: those this process may run on, within its CPU quota.

    In a SLURM job it is at most the job's part of the node, which not every cluster enforces.
    """
    allowed = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, min([allowed, *(int(quota) for quota in _cpu_quotas(root)), *_slurm_cores()]))


def _slurm_cores() -> list[int]:
    names = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
    given = [text for name in names if (text := os.environ.get(name, "")).isdecimal()]
    return [int(given[0])] if given else []


def memory_limit(root: Path = ROOT) -> int:
    """Return the bytes of memory that this process may use: the machine's or its group's limit."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([installed, *_memory_limits(root)])


def _cpu_quotas(root: Path) -> Iterator[float]:
    for folder in _groups(root, ""):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)
    for folder in _groups(root, "cpu"):
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):  # -1: no quota
            yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    for folder, name in (
        *((folder, "memory.max") for folder in _groups(root, "")),
        *((folder, "memory.high") for folder in _groups(root, "")),  # above it, the group is slowed
        *((folder, "memory.limit_in_bytes") for folder in _groups(root, "memory")),
    ):
        if (limit := _text(folder / name)).isdecimal():  # "max": no limit
            yield int(limit)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's group and of those above it; v2 has no `controller`.

    /proc/self/cgroup has lines like `0::/user.slice` (v2) and `4:cpu,cpuacct:/docker/1f` (v1). In a
    container, the path may be the host's; its own group is then mounted at the top.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = (*line.split(":", 2), "", "")[:3]
        if controller in controllers.split(",") and ".." not in group.split("/"):
            for top in _mounts(root / "sys/fs/cgroup", controller):
                own = top / group.lstrip("/")
                yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))
            return


def _mounts(base: Path, controller: str) -> list[Path]:
    """Return where a controller's groups may be: v1 has a folder named after its controllers.

    The groups of v2 are at the top, or in `unified` if v1 is mounted too.
    """
    if not controller:
        return [base, base / "unified"]
    folders = sorted(base.iterdir()) if base.is_dir() else []
    return [folder for folder in folders if controller in folder.name.split(",")]


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
