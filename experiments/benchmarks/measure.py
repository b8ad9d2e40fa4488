"""A measured quantity with its spread, and how commands and alternating trials are timed."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

Measured = TypeVar("Measured")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A figure: the median of its trials, with the least and the greatest, and its aim."""

    name: str
    unit: str
    trials: tuple[float, ...]
    aim: str = ""

    @property
    def median(self) -> float:
        """The middle trial."""
        return statistics.median(self.trials)

    def line(self) -> str:
        """The figure in at most 80 columns."""
        low, high = min(self.trials), max(self.trials)
        spread = f"{low:.4g}–{high:.4g} ({len(self.trials)})" if len(self.trials) > 1 else ""
        found = f"{self.median:>9.4g} {self.unit:<6}{spread:<18} {self.aim}".rstrip()
        line = f"{self.name:<42}{found}"
        return line if len(line) <= 78 else f"{self.name}\n{'':42}{found}"

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "median": self.median}


def ratio(name: str, ours: Sequence[float], theirs: Sequence[float], aim: str = "") -> Found:
    """Ours over theirs, trial by trial: the two of a trial were measured one after the other."""
    found = tuple(one / other for one, other in zip(ours, theirs, strict=True))
    return Found(name=name, unit="×", trials=found, aim=aim)


def in_turn(trials: int, *runs: Callable[[], Measured]) -> list[list[Measured]]:
    """What each of `runs` gave in each trial, taken in turn so that drift meets all alike."""
    found: list[list[Measured]] = [[] for _ in runs]
    for trial in range(trials):
        order = list(enumerate(runs))
        for index, run in order if trial % 2 == 0 else order[::-1]:
            found[index].append(run())
    return found


# A process of its own starts the command: peak memory would count that of whoever starts it.
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
    """Seconds and peak memory in MB of one Python process, whose output is thrown away."""
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
