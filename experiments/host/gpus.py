"""The GPUs that this process may use, found without torch.

The driver lists them, and CUDA_VISIBLE_DEVICES selects some. A GPU is named as that variable
names it, so a name can be handed to another process.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Of AMD's driver; of NVIDIA's, also in a container without nvidia-smi; of a GPU in WSL2.
DEVICES = ("/dev/kfd", "/dev/nvidiactl", "/dev/dxg")


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What the driver lists: identifiers of the GPUs, then of their MIG instances."""

    gpus: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


def gpus() -> list[str]:
    """Return the GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes."""
    selection, path = os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("PATH", "")
    driver = _driver(path)
    if driver.gpus or not any(Path(device).exists() for device in DEVICES):
        return visible(selection, driver)
    return list(_told_by_torch(path, selection, os.environ.get("HIP_VISIBLE_DEVICES")))


def visible(selection: str | None, driver: Driver) -> list[str]:
    """Return what CUDA makes of its variable: everything before the first invalid entry.

    An entry is a number, or the beginning of one identifier. A number given twice hides all GPUs.
    CUDA uses one MIG instance only: none after a GPU, and nothing after an instance.
    """
    if selection is None:
        return [str(number) for number in range(len(driver.gpus))]
    names: list[str] = []
    for entry in map(str.strip, selection.split(",")):
        if re.match(r"\+?\d", entry):
            name = str(int(re.match(r"\+?(\d+)", entry)[1]))  # type: ignore[index]
            valid = int(name) < len(driver.gpus)
        else:
            name = entry
            known = [*driver.gpus, *driver.instances]
            matching = [name for name in known if name.startswith(entry)]
            valid = bool(entry) and len(matching) == 1
            if valid and matching[0] in driver.instances:
                return names or [name]
        if not valid:
            break
        if name in names:
            return []
        names.append(name)
    return names


def query(what: str) -> list[str]:
    """Return a property of each GPU that may be used, as NVIDIA's driver names it; [] if unknown.

    MIG instances are left out: the driver would tell the property of the whole GPU.
    """
    listed = _ask("nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits")
    known = _driver(os.environ.get("PATH", "")).gpus
    lines = list(enumerate(zip(known, map(str.strip, listed.splitlines()), strict=False)))
    return [
        line
        for name in gpus()
        for number, (gpu, line) in lines
        if name == str(number) or gpu.startswith(name)
    ]


def gpu_memory() -> int:
    """Return the bytes of memory of the smallest GPU that may be used; 0 if it cannot be told.

    It cannot where there are MIG instances: a number can mean an instance, too.
    """
    if _driver(os.environ.get("PATH", "")).instances:
        return 0
    sizes = [int(line) for line in query("memory.total") if line.isdecimal()]
    return min(sizes, default=0) << 20


def own_gpus(slot: int, devices: int, available: Sequence[str]) -> list[str] | None:
    """Return the GPUs of one of several parallel runs, in turn; None if there are none."""
    if not available:
        return None
    return [available[(slot * devices + number) % len(available)] for number in range(devices)]


def use_only(names: Sequence[str]) -> None:
    """Let this process use only these GPUs; call it before torch looks for some."""
    for variable in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        if variable in os.environ or variable == "CUDA_VISIBLE_DEVICES":
            os.environ[variable] = ",".join(names)  # ROCm prefers its own variable


@cache
def _driver(_path: str) -> Driver:
    """Ask NVIDIA's driver."""
    names = re.findall(r"UUID: ((?:GPU|MIG)-[^)\s]+)", _ask("nvidia-smi", "-L"))
    return Driver(
        gpus=tuple(name for name in names if name.startswith("GPU-")),
        instances=tuple(name for name in names if name.startswith("MIG-")),
    )


@cache
def _told_by_torch(_path: str, selection: str | None, of_hip: str | None) -> tuple[str, ...]:
    """Return the GPUs where the driver's command is missing; the arguments are what can change.

    torch has already applied the variable: return one of its entries for each GPU that torch sees.
    """
    import torch

    count = torch.cuda.device_count()
    if torch.version.hip and of_hip is not None:  # ROCm prefers a variable of its own
        selection = of_hip
    if selection is None:
        return tuple(str(number) for number in range(count))
    return tuple(map(str.strip, selection.split(",")))[:count]


def _ask(*command: str) -> str:
    """Return what a command prints; nothing if it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
