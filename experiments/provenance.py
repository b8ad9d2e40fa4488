"""Under what circumstances a run was made: what a record says of machine, versions and code."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

from roadmap.record import Provenance

PACKAGES = ("torch", "torchvision", "timm", "pytorch-lightning", "numpy", "pillow")


def describe_machine(threads: int, command: str, started: str, finished: str) -> Provenance:
    """The provenance of a run that has just finished here."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return Provenance(
        command=command,
        started=started,
        finished=finished,
        commit=_commit(),
        hardware=_hardware(),
        threads=threads,
        versions=versions,
    )


def _hardware() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cores = torch.multiprocessing.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()} {platform.machine()}"


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _commit() -> str:
    """The git commit of this code, with `-dirty` where files differ; empty outside a checkout."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip()
