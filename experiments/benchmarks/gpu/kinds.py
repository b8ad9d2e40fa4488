"""Where a training step's time goes, by kind of kernel."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator

from torch.profiler import ProfilerActivity, profile

from experiments.benchmarks.gpu.network import Network
from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import Measurement, synchronize

# The first kind with one of its words in the name of a kernel, or on a CPU of an operator.
KINDS = {
    "fused by the compiler": ("triton_",),
    "depthwise convolution": ("_c1_k1", "depthwise", "convolve", "correlate", "wgrad2d", "dgrad2d"),
    "layout copies": ("nchwtonhwc", "nhwctonchw", "transpose", "permute", "contiguous"),
    "batch norm": ("batch_norm", "batchnorm", "bn_fw", "bn_bw"),
    "layer norm": ("layer_norm", "layernorm", "gammabeta"),
    "optimizer": ("adam", "multi_tensor", "fused_adam", "foreach"),
    "products, convolutions": (
        "gemm", "nvjet", "cutlass", "fprop", "dgrad", "wgrad", "conv", "addmm", "mm", "cudnn",
    ),
    "gelu, relu": ("gelu", "relu", "threshold"),
    "reductions": ("reduce", "sum", "mean"),
    "copies, casts": ("copy", "memcpy", "memset", "fill"),
    "other elementwise": ("elementwise", "add", "mul"),
}  # fmt: skip


def kinds(plan: Plan) -> Iterator[Measurement]:
    """Milliseconds per step by kind, eager and compiled, for the plan's rows."""
    for row in plan.profiled:
        network = Network(plan, row)
        for way in ("eager",) if plan.dry else ("eager", "compiled"):
            by_kind, kernels = _profiled(plan, network, way)
            total = sum(by_kind.values())
            for kind, milliseconds in sorted(by_kind.items(), key=lambda item: -item[1]):
                yield Measurement(
                    name=f"row {row}, {way}: {kind}",
                    unit="ms",
                    trials=(milliseconds,),
                    aim=f"{100 * milliseconds / total:.0f} %",
                )
            name = f"row {row}, {way}: all {kernels} kernels"
            yield Measurement(name=name, unit="ms", trials=(total,))


def _profiled(plan: Plan, network: Network, way: str) -> tuple[dict[str, float], int]:
    """Return milliseconds per step by kind, and the number of kernels of a step."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # no message about missing GPUs
    steps = 1 if plan.dry else 5
    work = network.work(way, "training")
    synchronize(plan.device)
    activities = [ProfilerActivity.CPU] if plan.dry else [ProfilerActivity.CUDA]
    with profile(activities=activities) as profiled:
        for _ in range(steps):
            work()
        synchronize(plan.device)
    by_kind: dict[str, float] = defaultdict(float)
    kernels = 0
    for event in profiled.key_averages():
        time = event.self_cpu_time_total if plan.dry else event.self_device_time_total
        if time:
            by_kind[kind_of(event.key)] += time / 1e3 / steps
            kernels += event.count
    return by_kind, kernels // steps


def kind_of(name: str) -> str:
    """Return the kind of a kernel."""
    name = name.lower()
    return next((kind for kind, words in KINDS.items() if any(w in name for w in words)), "other")
