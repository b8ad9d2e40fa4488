"""How runs are computed, which does not identify them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from roadmap.errors import Problem

Precision = Literal["32", "bf16"]
Images = Literal["auto", "memory", "stream"]
Broken = Literal["stop", "skip"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What one run gets of the hardware, and how it computes there.

    `threads` compute and `workers` load images, in each of `devices` processes on each of `nodes`;
    an optimizer step is cut into `accumulate` portions a device. `images` are held in `memory` or
    opened for every epoch (`stream`). `jobs` runs share the machine. A checkpoint is saved every
    `save_every` seconds besides every epoch. Where another process is at the same run, `wait`.
    A training image that cannot be opened stops the run, or all such are left out (`broken`).
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
    save_every: float = 60.0
    wait: bool = True
    broken: Broken = "stop"

    @classmethod
    def shared_by(cls, jobs: int, *, devices: int = 1, **how: Any) -> Machine:
        """An even share of this machine's cores for each device of each of `jobs` runs."""
        each = max(1, cores() // (jobs * devices))
        return cls(
            threads=each, workers=max(1, min(8, each // 2)), jobs=jobs, devices=devices, **how
        )

    def check(self) -> None:
        """Raise Problem for what this machine does not have."""
        if (found := len(gpus())) and self.devices > found:
            raise Problem(f"--devices {self.devices}: this machine has {found} GPUs")
        if not found and self.devices > max(2, cores()):
            raise Problem(f"--devices {self.devices}: this machine has no GPU, and {cores()} cores")
        if self.sync_batchnorm and not found:
            raise Problem("--sync-batchnorm needs GPUs; on CPUs BatchNorm is per process")

    @property
    def world(self) -> int:
        """Processes that share a run."""
        return self.devices * self.nodes


def cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [each for each in visible.split(",") if each]
    listed = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(listed.iterdir())))] if listed.exists() else []


def own_gpus(job: int, devices: int, available: list[str]) -> list[str] | None:
    """The GPUs of one of several jobs, in turn; None where there are none."""
    if not available:
        return None
    return [available[(job * devices + each) % len(available)] for each in range(devices)]


def default_jobs(devices: int = 1) -> int:
    """Runs at a time: where GPUs compute, as many as they can share out, else one a core, to 8.

    Small networks leave a second thread half idle: on two cores, two runs of one thread do 1.3 to
    1.6 times as much as one run of two (docs/decisions.md).
    """
    if gpus():
        return max(1, len(gpus()) // devices)
    return 1 if platform.system() == "Darwin" else max(1, min(8, cores()) // devices)


KEPT = ("threads", "devices", "nodes", "accumulate", "precision", "compile", "sync_batchnorm")


def restore_settings(machine: Machine, folder: Path) -> Machine:
    """A run goes on computing as it began: the machine, with what changes rounding as it was."""
    path = folder / "machine.yaml"
    if not any((folder / name).exists() for name in ("last.ckpt", "before.ckpt")):
        path.write_text(yaml.safe_dump({name: getattr(machine, name) for name in KEPT}))
        return machine
    if not path.exists():
        return machine
    try:
        kept = {"nodes": 1} | yaml.safe_load(path.read_text(encoding="utf-8"))
        fits = {name: type(each) for name, each in kept.items()} == {
            name: type(getattr(machine, name)) for name in KEPT
        }
    except (yaml.YAMLError, ValueError, AttributeError, TypeError):
        fits = False
    if not fits:
        raise Problem(f"{path} is damaged: it must hold {', '.join(KEPT)}; --restart begins anew")
    if kept["nodes"] != machine.nodes:  # the other nodes cannot be told from here
        raise Problem(
            f"the run in {folder} began on {kept['nodes']} nodes, not {machine.nodes}: "
            f"--nodes {kept['nodes']} goes on with it, --restart begins it anew"
        )
    return replace(machine, **kept)


def differences(asked: Machine, kept: Machine) -> list[str]:
    """What of the options asked for a run that goes on does not take, in words."""
    pairs = [(name, getattr(asked, name), getattr(kept, name)) for name in KEPT]
    return [
        f"goes on with {name.replace('_', ' ')} {its}, as it began, not {mine} (--restart does)"
        for name, mine, its in pairs
        if mine != its
    ]
