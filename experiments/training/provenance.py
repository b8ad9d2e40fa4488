"""The provenance of a record: machine, versions and code."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

from experiments.host.machine import Machine
from roadmap.record import Provenance

PACKAGES = ("torch", "torchvision", "timm", "pytorch-lightning", "numpy", "pillow")


def describe_machine(
    machine: Machine,
    *,
    images: str,
    command: str,
    started: str,
    finished: str,
    graphs: bool = False,
) -> Provenance:
    """Return the provenance of a run on this machine; `images` says how they were loaded."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return Provenance(
        command=command,
        started=started,
        finished=finished,
        commit=commit(),
        hardware=_hardware(),
        threads=machine.threads,
        workers=machine.workers,
        devices=machine.devices,
        nodes=machine.nodes,
        accumulate=machine.accumulate,
        precision=machine.precision,
        compiled=bool(machine.compile),
        cuda_graphs=graphs,
        sync_batchnorm=machine.sync_batchnorm,
        images=images,
        versions=versions,
    )


def _hardware() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cores = torch.multiprocessing.cpu_count()
    vectors = torch.backends.cpu.get_cpu_capability()  # decides speed and rounding
    return f"{_processor()}, {cores} cores, {vectors}, {platform.system()} {platform.machine()}"


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def commit() -> str:
    """Return the commit of this code's own checkout, `-dirty` if files differ; else nothing."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
