"""How a run is computed, which is no part of its identity."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from experiments.host.gpus import gpus
from experiments.host.limits import cores
from roadmap.errors import Problem
from roadmap.files import put_text

Precision = Literal["auto", "32", "bf16"]
Compile = bool | Literal["auto"]
Images = Literal["auto", "memory", "stream"]
Decode = Literal["cpu", "gpu"]
Broken = Literal["stop", "skip"]
Keep = Literal["last", "weights", "none"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The hardware that one run gets, and how the run computes there.

    Each of `devices` processes on each of `nodes` has `threads` that compute and `workers` that
    load images. It cuts its part of an optimizer step into `accumulate` micro-batches. `images`
    are held in `memory` or opened in every epoch (`stream`). `decode` says what decodes training
    images that are JPEG files; a GPU's pixels differ a little. `jobs` runs share the machine.
    `precision` and `compile` are chosen for the device and the run if they are "auto". A
    checkpoint is saved every `save_every` seconds and after every epoch; `keep` says what stays of
    it once the record is written. `wait` for another process that trains the same run. A training
    image that cannot be opened stops the run, or is left out (`broken`).
    """

    threads: int
    workers: int
    jobs: int = 1
    devices: int = 1
    nodes: int = 1
    accumulate: int = 1
    precision: Precision = "auto"
    compile: Compile = "auto"
    sync_batchnorm: bool = False
    images: Images = "auto"
    decode: Decode = "cpu"
    save_every: float = 60.0
    keep: Keep = "weights"
    wait: bool = True
    broken: Broken = "stop"

    @classmethod
    def shared_by(cls, jobs: int, *, devices: int = 1, **how: Any) -> Machine:
        """Return an even share of this machine's cores for each device of each of `jobs` runs."""
        threads = max(1, cores() // (jobs * devices))
        workers = max(1, min(8, threads // 2))
        return cls(threads=threads, workers=workers, jobs=jobs, devices=devices, **how)

    def check(self) -> None:
        """Raise Problem if this machine lacks something that is asked for."""
        if (available := len(gpus())) and self.devices > available:
            raise Problem(f"--devices {self.devices}: this machine has {available} GPUs")
        if not available and self.devices > max(2, cores()):
            raise Problem(f"--devices {self.devices}: this machine has no GPU, and {cores()} cores")
        if self.decode == "gpu" and not available:
            raise Problem("--decode gpu needs an NVIDIA GPU; this machine has none")
        if self.decode == "gpu" and self.images == "memory":
            raise Problem("--decode gpu is for images that are not held: leave out --images memory")
        if self.sync_batchnorm and not available:
            raise Problem("--sync-batchnorm needs GPUs; on CPUs BatchNorm is per process")

    @property
    def world(self) -> int:
        """Processes that share a run."""
        return self.devices * self.nodes


def default_jobs(devices: int = 1, per_gpu: int = 1) -> int:
    """Return the default number of parallel runs: GPUs // devices, or on a CPU one per core, to 8.

    `per_gpu` runs share a GPU if each run uses one. Small networks leave a second thread half
    idle: on two cores, two runs of one thread do 1.3 to 1.6 times as much as one run of two
    (docs/decisions.md).
    """
    if available := len(gpus()):
        return available * per_gpu if devices == 1 else max(1, available // devices)
    return 1 if platform.system() == "Darwin" else max(1, min(8, cores()) // devices)


ROUNDING = (
    "threads", "devices", "nodes", "accumulate", "precision", "compile", "sync_batchnorm", "decode",
)  # fmt: skip


def restore_settings(machine: Machine, folder: Path) -> Machine:
    """Restore the settings that affect rounding from the run's first start, in `machine.yaml`.

    A run without a checkpoint starts here: its settings are written instead.
    """
    path = folder / "machine.yaml"
    if not any((folder / name).exists() for name in ("last.ckpt", "before.ckpt")):
        put_text(path, yaml.safe_dump({name: getattr(machine, name) for name in ROUNDING}))
        return machine
    if not path.exists():
        return machine
    first = _read(path)
    types = {name: type(getattr(machine, name)) for name in ROUNDING}
    if first is None or {name: type(setting) for name, setting in first.items()} != types:
        raise Problem(
            f"{path} is damaged: it must hold {', '.join(ROUNDING)}; use --restart to start over"
        )
    if first["nodes"] != machine.nodes:  # the other nodes cannot be told from here
        raise Problem(
            f"the run in {folder} started on {first['nodes']} nodes, not {machine.nodes}: "
            f"--nodes {first['nodes']} resumes it, --restart starts it over"
        )
    return replace(machine, **first)


def _read(path: Path) -> dict[str, Any] | None:
    """Return the settings in a file; None if it holds something else."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 10_000:
        return None
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return {"nodes": 1, "decode": "cpu", **settings} if isinstance(settings, Mapping) else None


def differences(asked: Machine, restored: Machine) -> list[str]:
    """Describe the requested options that a resumed run ignores."""
    pairs = [(name, getattr(asked, name), getattr(restored, name)) for name in ROUNDING]
    return [
        f"resumes with {name.replace('_', ' ')} {used}, as at its first start, not {wanted} "
        "(--restart starts over)"
        for name, wanted, used in pairs
        if wanted not in (used, "auto")
    ]
