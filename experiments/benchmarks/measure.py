"""A measured quantity with its spread, and how to time calls, commands and alternating trials."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch

Measured = TypeVar("Measured")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A quantity: the median of its trials, with minimum and maximum, and its aim."""

    name: str
    unit: str
    trials: tuple[float, ...]
    aim: str = ""

    @property
    def median(self) -> float:
        """The median of the trials."""
        return statistics.median(self.trials)

    def line(self) -> str:
        """Show it in at most 80 columns."""
        low, high = min(self.trials), max(self.trials)
        spread = f"{low:.4g}–{high:.4g} ({len(self.trials)})" if len(self.trials) > 1 else ""
        value = f"{self.median:>9.4g} {self.unit:<6}{spread:<18} {self.aim}".rstrip()
        line = f"{self.name:<42}{value}"
        return line if len(line) <= 78 else f"{self.name}\n{'':{min(42, 78 - len(value))}}{value}"

    def data(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "median": self.median}


def ratio(name: str, ours: Sequence[float], theirs: Sequence[float], aim: str = "") -> Measurement:
    """Return ours over theirs, trial by trial: those of a trial were measured in succession."""
    ratios = tuple(one / other for one, other in zip(ours, theirs, strict=True))
    return Measurement(name=name, unit="×", trials=ratios, aim=aim)


def in_turn(trials: int, *runs: Callable[[], Measured]) -> list[list[Measured]]:
    """Return the results of each of `runs` by trial; alternating makes drift affect all equally."""
    results: list[list[Measured]] = [[] for _ in runs]
    for trial in range(trials):
        order = list(enumerate(runs))
        for index, run in order if trial % 2 == 0 else order[::-1]:
            results[index].append(run())
    return results


# A process of its own starts the command: peak memory would include that of the starting process.
WATCH = """
import resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - start
sys.stderr.buffer.write(done.stderr[-2000:])
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def timed(*command: str, **environment: str) -> tuple[float, float]:
    """Return seconds and peak memory in MB of one Python process; its output is discarded."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", WATCH, sys.executable, *command],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, KiB elsewhere


def synchronize(device: torch.device) -> None:
    """Wait until everything that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(device: torch.device, size: int, dtype: torch.dtype) -> float:
    """Return multiply-accumulates per second of a square product: the best of three."""
    one = torch.randn(size, size, device=device, dtype=dtype)
    return size**3 / min(seconds_each(lambda: one @ one, 10, device) for _ in range(3))


def copy_rate(device: torch.device, size: int) -> float:
    """Return bytes per second, read and written, of a copy of `size` bytes: the best of three."""
    one = torch.zeros(size, dtype=torch.uint8, device=device)
    other = torch.ones_like(one)
    return 2 * size / min(seconds_each(lambda: one.copy_(other), 10, device) for _ in range(3))


def seconds_each(work: Callable[[], object], steps: int, device: torch.device) -> float:
    """Return seconds per call, over `steps` calls in a row."""
    synchronize(device)
    start = time.perf_counter()
    for _ in range(steps):
        work()
    synchronize(device)
    return (time.perf_counter() - start) / steps
