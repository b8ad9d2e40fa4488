"""Depthwise convolutions by shape: cuDNN, our kernels, and the time to move the bytes alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch

from experiments.benchmarks.gpu.part import Fact, Skipped
from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import Measurement, copy_rate, ratio, seconds_each
from roadmap.kernels.cases import Case, cases
from roadmap.kernels.choice import DIRECTIONS

CASES = 24  # the most important ones: those of rows 04 to 13 with their strides
SECONDS = 40.0  # compiling included; cases that do not fit in are listed as left out


def depthwise(plan: Plan) -> Iterator[Measurement | Fact]:
    """Milliseconds by shape and direction, cuDNN's over ours, and the floor of bytes."""
    if find_spec("triton") is None:
        raise Skipped("Triton is not installed")
    floor = copy_rate(plan.device, 1 << (20 if plan.dry else 30))
    yield Measurement(name="copy, read and written", unit="TB/s", trials=(floor / 1e12,))
    if plan.dry:
        yield from _dry(plan)
        return
    from roadmap.kernels.measure import measure

    listed = cases()[:CASES]
    with redirect_stdout(io.StringIO()):  # its lines are wider than ours
        measured = measure(listed, seconds=SECONDS)
    yield Fact(key="depthwise", value=measured)  # whole: tiles, errors, the table of choices
    by_name = {str(case): case for case in listed}
    for row in measured["rows"]:
        yield from _shown(row, 1e3 * by_name[row["case"]].floor_bytes() / floor)


def _shown(row: dict[str, Any], floor: float) -> Iterator[Measurement]:
    name = f"{row['case']}, {row.get('direction', '')}"
    if not row.get("ours") or "cudnn_ms" not in row:
        yield Measurement(name=f"{name}: failed, see the file", unit="", trials=(0.0,))
        return
    ours, theirs = min(timed["ms"] for timed in row["ours"]), row["cudnn_ms"]
    yield Measurement(name=f"{name}: ours", unit="ms", trials=(ours,), aim=f"floor {floor:.3f}")
    yield ratio(f"{name}: cuDNN / ours", (theirs,), (ours,))


def _dry(plan: Plan) -> Iterator[Measurement]:
    """Time torch's convolution of a small map on the CPU; our kernels need a GPU."""
    from roadmap.kernels.timing import Workload

    case = Case(7, 1, 8, 8, batch=2, dtype=torch.float32)
    workload = Workload(case, device="cpu")
    for direction in DIRECTIONS:
        seconds = seconds_each(partial(workload.torchs, direction), 2, plan.device)
        name = f"{case}, {direction}: torch"
        yield Measurement(name=name, unit="ms", trials=(1e3 * seconds,))
