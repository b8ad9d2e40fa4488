"""The GPU benchmark: a dry run of all parts on the CPU, and how parts are kept apart."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from itertools import count
from pathlib import Path

import pytest
import torch

from experiments.benchmarks.gpu import input_path, networks
from experiments.benchmarks.gpu.__main__ import PARTS, TOTAL, limited
from experiments.benchmarks.gpu.input_path import prepared, write_jpegs
from experiments.benchmarks.gpu.kinds import kind_of
from experiments.benchmarks.gpu.operations import Counted
from experiments.benchmarks.gpu.part import End, Fact, Part, Skipped, run
from experiments.benchmarks.gpu.plan import DRY
from experiments.benchmarks.measure import Measurement
from experiments.benchmarks.training import Turns
from experiments.data.splits import DataSet, open_data
from experiments.host.events import EpochDone, StepDone
from experiments.loading.loaders import Loading
from experiments.training.provenance import commit
from steps.recipes.load import load_recipe

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_dry_run_does_every_part_on_the_cpu(tmp_path):
    out = tmp_path / "bench-gpu.json"
    command = [sys.executable, "-m", "experiments.benchmarks.gpu", "--dry-run", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    saved = json.loads(out.read_text())
    statuses = {name: part["status"] for name, part in saved["parts"].items()}
    assert statuses == {name: "skipped" if name == "peer" else "done" for name in PARTS}
    assert saved["dry_run"] and saved["provenance"]["versions"]["torch"] == version("torch")
    counts = saved["operations_per_batch"]
    assert set(counts) == {"64", "256", "1024"} and min(counts.values()) > 100
    assert max(counts.values()) <= 400
    assert saved["synchronizations_per_step"] == 0, saved["synchronizations"]
    assert saved["operations_per_step"] > 500  # the steps were counted
    names = [
        measurement["name"]
        for part in saved["parts"].values()
        for measurement in part["measurements"]
    ]
    for name in (
        "runner / bare loop",
        "compiled training",
        "weight: torch",
        "layer norm",
        "cuDNN / product",
        "prepared 341×256",
    ):
        assert any(name in other for other in names), name


@pytest.mark.parametrize("skipped", [(), ("peer",)])
@pytest.mark.parametrize("taken", [0.0, 0.5, 1.0])
def test_all_parts_together_end_within_six_minutes(taken, skipped):
    """However long each part takes of its limit; each gets at least what is reserved for it."""
    moment = 1.0  # a process needs one to end
    left = TOTAL - 20
    for name in PARTS:
        part = limited(name, list(PARTS), left, skipped=skipped)
        if name not in skipped:
            assert part.limit >= PARTS[name].reserved - moment * len(PARTS) > 0
            left -= taken * part.limit + moment
        if skipped and name in ("runner", "networks"):  # what they were estimated to need
            assert part.limit >= {"runner": 70, "networks": 140}[name]
    assert TOTAL - left <= 360
    assert limited("networks", ["networks"], TOTAL).limit == PARTS["networks"].limit


def test_the_prepared_part_reads_a_prepared_copy(tmp_path):
    write_jpegs(tmp_path / "photos", 500, 375, 2)
    copy = prepared(tmp_path / "photos", tmp_path / "copy")
    assert copy.prepared is not None and copy.prepared.short_side == 256
    assert open_data(copy).train.image(0).size == (341, 256)


def test_a_checkout_is_named_by_its_commit():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    assert re.fullmatch("[0-9a-f]{12}(-dirty)?", commit())


class Ahead:
    """A loader whose three processes make six batches ahead."""

    num_workers, prefetch_factor = 3, 2

    def __init__(self):
        self.taken = 0

    def __iter__(self):
        for number in range(10):
            self.taken += 1
            yield number


def test_the_input_path_is_timed_once_no_batch_was_made_before(monkeypatch):
    loader, timed = Ahead(), []

    def seconds_each(work, steps, device):
        before = loader.taken
        for _ in range(steps):
            work()
        timed.append(loader.taken - before)
        return 1.0

    monkeypatch.setattr(input_path, "train_loader", lambda *_, **__: loader)
    monkeypatch.setattr(input_path, "seconds_each", seconds_each)
    data, recipe = DataSet(source=None, train=range(4096), val=()), load_recipe("cifar-enhanced")
    plan = replace(DRY, dry=False)
    input_path._speed(plan, data, recipe, 1024, Loading(held=True), "held")
    assert timed == [14, 12, 12, 12]


def test_the_runner_is_timed_without_batches_that_were_made_while_the_loop_ran():
    taken = count()
    turns = Turns(taken, batch=8, untimed=4)
    for step in (1, 3, 4, 9, 10, 12, 13, 15):  # timed: 4 to 9, 13 to 15
        turns.tell(StepDone(run="r", step=step, steps=40))
    metrics = {"images_per_second": 1.0}
    turns.tell(EpochDone(run="r", step=20, steps=40, epoch=1, epochs=2, metrics=metrics))
    for step in (22, 24, 25):
        turns.tell(StepDone(run="r", step=step, steps=40))
    assert [len(turns.runner[epoch]) for epoch in (0, 1)] == [5 + 2, 1]
    assert next(taken) == 5 + 2 + 1  # as many steps of the loop


@pytest.mark.slow
def test_networks_share_the_cores_when_they_compile(monkeypatch):
    from torch._inductor import config

    monkeypatch.setattr(networks, "cores", lambda: 16)
    before = config.compile_threads
    try:
        networks.limit_compiler()
        assert config.compile_threads == 4
    finally:
        config.compile_threads = before


def measured(value):
    return Measurement(name="x", unit="s", trials=(value,))


def fails(plan):
    yield measured(1.0)
    raise ValueError("no luck")


def is_killed(plan):
    yield measured(1.0)
    os.kill(os.getpid(), 9)


def hangs(plan):
    yield measured(1.0)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield Fact(key="child", value=child.pid)
    time.sleep(600)


def skips(plan):
    raise Skipped("no train.py")
    yield


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "status", "reason"),
    [
        (fails, "failed", "ValueError: no luck"),
        (is_killed, "failed", "ended with code -9"),
        (hangs, "out of time", "ended after 3 s"),
        (skips, "skipped", "no train.py"),
    ],
)
def test_a_part_that_ends_badly_keeps_what_it_measured(measure, status, reason):
    *values, end = run(Part(title="x", measure=measure, limit=3), DRY)
    assert isinstance(end, End) and end.status == status and reason in end.reason
    assert [value.trials for value in values if isinstance(value, Measurement)] == (
        [] if measure is skips else [(1.0,)]
    )
    for value in values:
        if isinstance(value, Fact):  # what a part has started ends with it
            assert ended(value.value)


def ended(process):
    """Wait until a process is gone or only waits to be collected."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{process}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
    return False


def test_waits_for_the_device_are_counted():
    values, counter = torch.arange(4.0), torch.zeros(())
    with Counted() as counted:
        counted.on_host = {counter.data_ptr()}
        counter.item()
        values.mul_(2).to(torch.float64)
        assert not counted.waits
        values.sum().item()
        values[values > 2]
        values.nonzero()
        with counted.paused():
            values.nonzero()
        bool(values[0] > 1)
    assert counted.waits == {
        "aten::_local_scalar_dense": 2,
        "aten::index": 1,
        "aten::nonzero": 1,
    }
    assert counted.operations["aten::mul_"] == 1


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("dgrad2d_c1_k1_nhwc_specialized", "depthwise convolution"),
        ("convolve", "depthwise convolution"),
        ("sm90_xmma_dgrad_implicit_gemm_bf16bf16_bf16f32", "products, convolutions"),
        ("nvjet_sm90_tst_128x256_64x4_1x2_h_bz_coopA", "products, convolutions"),
        ("triton_poi_fused_convolution_gelu_3", "fused by the compiler"),
        ("vectorized_layer_norm_kernel<float>", "layer norm"),
        ("GeluBackwardCUDAKernelImpl(at::TensorIteratorBase&)", "gelu, relu"),
        ("bfloat16_copy_kernel_cuda(at::TensorIteratorBase&)", "copies, casts"),
        ("elementwise_kernel<128, 4, CUDAFunctor_add<c10::BFloat16> >", "other elementwise"),
    ],
)
def test_kernels_are_put_into_kinds(kernel, kind):
    assert kind_of(kernel) == kind
