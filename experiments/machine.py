"""How runs are computed, which does not identify them."""

from __future__ import annotations

import os
import platform
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

Precision = Literal["32", "bf16"]
Images = Literal["auto", "memory", "stream"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What one run gets of the hardware, and how it computes there.

    `threads` compute and `workers` load images, in each of `devices` processes on each of `nodes`;
    an optimizer step is cut into `accumulate` portions a device. `images` are held in `memory` or
    opened for every epoch (`stream`). `jobs` runs share the machine.
    """

    threads: int
    workers: int
    jobs: int = 1
    devices: int = 1
    nodes: int = 1
    accumulate: int = 1
    precision: Precision = "32"
    compile: bool = False
    sync_batchnorm: bool = False
    images: Images = "auto"

    @classmethod
    def shared_by(cls, jobs: int, *, devices: int = 1, **how: Any) -> Machine:
        """An even share of this machine's cores for each device of each of `jobs` runs."""
        each = max(1, cores() // (jobs * devices))
        return cls(
            threads=each, workers=max(1, min(8, each // 2)), jobs=jobs, devices=devices, **how
        )

    @property
    def world(self) -> int:
        """Processes that share a run."""
        return self.devices * self.nodes


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


def end_with(parent: int) -> None:
    """Let this process end soon after its parent does, however that one was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


KEPT = ("threads", "devices", "accumulate", "precision", "compile", "sync_batchnorm")


def as_it_began(machine: Machine, folder: Path) -> Machine:
    """A run goes on computing as it began: the machine, with what changes rounding as it was."""
    path = folder / "machine.yaml"
    if not (folder / "last.ckpt").exists():
        path.write_text(yaml.safe_dump({name: getattr(machine, name) for name in KEPT}))
        return machine
    return replace(machine, **yaml.safe_load(path.read_text())) if path.exists() else machine
