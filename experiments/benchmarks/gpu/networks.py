"""Training and inference speed, memory and share of the device's arithmetic, by network.

Each network lives in a process of its own. Some compile at the same time; then they take turns,
one at a time, so that two networks can be measured in alternation. Then the next ones compile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch

from experiments.benchmarks.gpu.network import Network
from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import (
    Measurement,
    in_turn,
    matrix_rate,
    ratio,
    seconds_each,
)
from experiments.host.limits import cores

TOGETHER = 4  # networks that compile at a time: each needs its activations on the GPU
WAYS = ("eager", "compiled")
MODES = ("training", "inference")
PASSES = {"training": 3, "inference": 1}


class Turns:
    """The process of one network, from this side: it measures when it is asked to."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.name = name
        self.pipe, theirs = get_context("fork").Pipe()
        process = get_context("fork").Process(target=_serve, args=(plan, name, theirs))
        process.daemon = True
        process.start()
        theirs.close()

    def tell(self, words: tuple[str, ...]) -> None:
        """Send words; without any the process compiles at first, and ends later."""
        with suppress(OSError):  # a process that is gone is noticed when it should answer
            self.pipe.send(words)

    def answer(self) -> tuple[float, float]:
        """Return two numbers that the process sends: first MACs and 0, once it is warm."""
        answer = self.pipe.recv()
        if isinstance(answer, str):
            raise RuntimeError(f"{self.name}: {answer}")
        return answer

    def measure(self, way: str, mode: str) -> tuple[float, float]:
        """Return images per second and GiB of peak memory of one trial."""
        self.tell((way, mode))
        return self.answer()


def _serve(plan: Plan, name: str, pipe: Connection) -> None:
    """Compile when told to, then measure one trial for each request."""
    try:
        pipe.recv()
        limit_compiler()
        torch.set_num_threads(1)
        network = Network(plan, name)
        for way in WAYS:
            for mode in MODES:
                network.work(way, mode)
        _free(plan)
        pipe.send((float(network.macs), 0.0))
        while words := pipe.recv():
            way, mode = words
            work = network.work(way, mode)
            if not plan.dry:
                torch.cuda.reset_peak_memory_stats()
            speed = plan.batch / seconds_each(work, plan.steps, plan.device)
            peak = 0.0 if plan.dry else torch.cuda.max_memory_allocated() / 2**30
            _free(plan)
            pipe.send((speed, peak))
    except EOFError:
        pass
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}"[:300])


def limit_compiler() -> None:
    """Compile with this process's part of the cores; a variable would come too late."""
    from torch._inductor import config

    config.compile_threads = max(1, cores() // TOGETHER)


def _free(plan: Plan) -> None:
    if not plan.dry:
        torch.cuda.empty_cache()


def networks(plan: Plan) -> Iterator[Measurement]:
    """Measure our row against timm's model in alternation, and every network, the two first."""
    names = dict.fromkeys([*_versus(plan), *plan.rows, *(f"timm:{name}" for name in plan.timm)])
    by_name = {name: Turns(plan, name) for name in names}
    size = 256 if plan.dry else 8192
    # Only after the forks, because it uses CUDA.
    rate = matrix_rate(plan.device, size, torch.bfloat16)
    yield Measurement(name="bf16 product of matrices", unit="TMAC/s", trials=(rate / 1e12,))
    failed: list[str] = []
    turns = [*by_name.values()]
    for start in range(0, len(turns), TOGETHER):
        yield from _group(plan, turns[start : start + TOGETHER], rate, failed)
    if failed:
        raise RuntimeError("; ".join(failed))


def _group(plan: Plan, group: list[Turns], rate: float, failed: list[str]) -> Iterator[Measurement]:
    """Compile some networks side by side and measure them; add those that fail to `failed`."""
    for turns in group:
        turns.tell(())
    macs: dict[str, float] = {}
    for turns in group:
        try:
            macs[turns.name], _ = turns.answer()
        except (RuntimeError, EOFError) as error:
            failed.append(f"{turns.name}: {error}")
    ready = {turns.name: turns for turns in group if turns.name in macs}
    if set(_versus(plan)) <= set(ready):
        yield from _against(plan, ready)
    for name, turns in ready.items():
        try:
            for way in WAYS:
                yield from _measured(plan, turns, way, macs[name] / rate)
        except (RuntimeError, EOFError) as error:
            failed.append(f"{name}: {error}")
        turns.tell(())


def _versus(plan: Plan) -> tuple[str, str]:
    row, model = plan.versus
    return row, f"timm:{model}"


def _against(plan: Plan, by_name: dict[str, Turns]) -> Iterator[Measurement]:
    """Compare a row and a timm model, trial by trial."""
    ours, theirs = _versus(plan)
    for way in WAYS:
        for mode in MODES:
            results = in_turn(
                plan.trials, *(partial(by_name[name].measure, way, mode) for name in (ours, theirs))
            )
            ours_speeds, theirs_speeds = ([speed for speed, _ in trials] for trials in results)
            aim = "aim ≥ 1.3" if (way, mode) == ("compiled", "training") else "aim ≥ 1.0"
            yield ratio(f"row {ours} / {theirs}, {way} {mode}", ours_speeds, theirs_speeds, aim)


def _measured(plan: Plan, turns: Turns, way: str, least: float) -> Iterator[Measurement]:
    """Measure speed, MFU and memory; `least` is seconds per forward pass at the full rate."""
    for mode in MODES:
        trials = [turns.measure(way, mode) for _ in range(max(1, plan.trials // 2))]
        speeds = tuple(speed for speed, _ in trials)
        what = f"{turns.name}, {way} {mode}"
        share = 100 * PASSES[mode] * least * max(speeds)
        yield Measurement(name=what, unit="img/s", trials=speeds, aim=f"MFU {share:.1f} %")
        if mode == "training" and not plan.dry:
            peak = max(peak for _, peak in trials)
            yield Measurement(name=f"{what}: peak memory", unit="GiB", trials=(peak,))
