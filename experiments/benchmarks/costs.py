"""The cost of all rows of the paper's two roadmaps, compared with fvcore on real tensors."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator

import torch

from experiments.benchmarks.measure import Measurement, in_turn, ratio, timed
from roadmap.cost import walk
from roadmap.network import build
from roadmap.rows import Row
from roadmap.spec import Network
from steps.roadmaps.load import load_roadmap

PATHS = ("resnet50", "resnet200")
FLOOR = "import pydantic.dataclasses, yaml"  # reads and checks specs
PROCESS = """
from steps.roadmaps.load import load_roadmap
from roadmap.cost import cost
for path in ("resnet50", "resnet200"):
    for row in load_roadmap(path):
        cost(row.spec.network, 224)
"""
THEIRS = "from experiments.benchmarks import costs; costs.fvcore(costs.rows())"


def costs(trials: int) -> Iterator[Measurement]:
    """Measure seconds for 34 rows, ours and fvcore's on one image: as processes and as calls."""
    empty, whole = in_turn(trials, lambda: timed("-c", FLOOR), lambda: timed("-c", PROCESS))
    seconds = tuple(time for time, _ in whole)
    yield Measurement(
        name="cost of 34 rows, a process", unit="s", trials=seconds, aim="aim < 0.5 s"
    )
    yield Measurement(
        name="of which Python, pydantic, PyYAML", unit="s", trials=tuple(time for time, _ in empty)
    )
    yield Measurement(name="its peak memory", unit="MB", trials=tuple(peak for _, peak in whole))
    theirs, memory = timed("-c", THEIRS)
    yield Measurement(name="fvcore, a process that builds them", unit="s", trials=(theirs,))
    yield Measurement(name="its peak memory (fvcore)", unit="MB", trials=(memory,))
    yield ratio("fvcore / ours, processes", [theirs] * trials, seconds, "aim ≥ 100")
    read = rows()
    ours, theirs = tuple(_ours(read) for _ in range(trials)), fvcore(read)
    yield Measurement(name="cost of 34 rows, a call", unit="s", trials=ours)
    yield Measurement(name="fvcore on 34 networks, built before", unit="s", trials=(theirs,))
    yield ratio("fvcore / ours, calls", [theirs] * trials, ours, "aim ≥ 100")


def rows() -> list[Row]:
    """Return the 34 rows of both roadmaps."""
    return [row for path in PATHS for row in load_roadmap(path)]


def _ours(rows: list[Row]) -> float:
    start = time.perf_counter()
    for row in rows:
        assert isinstance(row.spec.network, Network)
        walk(row.spec.network, 224)
    return time.perf_counter() - start


def fvcore(rows: list[Row]) -> float:
    """Return the seconds of fvcore's counter alone, without building the networks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

    total, image = 0.0, torch.zeros(1, 3, 224, 224)
    for row in rows:
        network = build(row.spec.network).eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            counter = FlopCountAnalysis(network, image)
            counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()
            total += time.perf_counter() - start
    return total
