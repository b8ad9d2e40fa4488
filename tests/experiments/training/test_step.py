"""What a training step costs beyond its arithmetic: waits for the device, compilations."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.utils._python_dispatch import TorchDispatchMode

from experiments.host.events import EpochDone, StepDone
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.launch.run import train
from experiments.request import Request
from experiments.settings import Settings
from experiments.tasks.classification import Classification
from experiments.tasks.losses import LossWatch, NotFinite, Step
from experiments.training.checkpoint import read_checkpoint
from experiments.training.choices import chosen, compile_mode
from experiments.training.estimates import estimate
from experiments.training.loop import train_here
from experiments.training.place import Place
from experiments.training.reporting import ReportingCallback

SMALL = {
    "recipe.epochs": 2,
    "recipe.batch": 6,
    "recipe.image_size": 32,
    "network.stages.all.depth": 1,
}
PLAIN = {  # images are changed in the process that trains here, on the CPU, which may wait
    "recipe.crop_scale": None,
    "recipe.flip": 0.0,
    "recipe.randaugment": None,
    "recipe.erasing": 0.0,
}
WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select")


def job(images, runs, row="13", machine=None, **overrides):
    settings = Settings(
        roadmap="tiny", data=str(images), overrides={**SMALL, **overrides}, runs=runs
    )
    request = Request(settings=settings, row=row, seed=0)
    request.folder.mkdir(parents=True, exist_ok=True)
    return Job(request=request, machine=machine or Machine(threads=1, workers=0, keep="last"))


class Waits(TorchDispatchMode):
    """Counts the operations that make the host wait for a device."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = str(operation)
        by_mask = name.startswith(("aten.index.", "aten.index_put", "aten._index_put")) and any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in args[1]
        )
        if by_mask or any(wait in name for wait in WAITS):
            self.seen[name] += 1
        return operation(*args, **(kwargs or {}))


def test_waits_are_seen_also_where_a_mask_selects():
    values = torch.arange(4)
    with Waits() as waits:
        values[values > 1]
        values[values > 2] = 0
        values[torch.tensor([1, 2])]
        values.sum().item()
    assert waits.seen == {
        "aten.index.Tensor": 1,
        "aten.index_put_.default": 1,
        "aten._local_scalar_dense.default": 1,
    }


@pytest.mark.slow
@pytest.mark.parametrize("row", ["00", "13"])
def test_a_step_never_waits_for_the_device(images, tmp_path, monkeypatch, row):
    """With mixup, cutmix, drop path and an average of the weights."""
    monkeypatch.setattr("experiments.training.reporting.SECONDS", -1.0)  # every step is reported
    waits, steps = Waits(), []

    def observe(event):
        if type(event) is StepDone and steps:
            steps.append(dict(waits.seen))
        elif isinstance(event, StepDone):
            steps.append({})  # an epoch's first: it may wait
        if isinstance(event, EpochDone):
            steps.clear()
        waits.seen.clear()

    overrides = {"recipe.ema": 0.9, "recipe.mixup": 0.8, "recipe.cutmix": 1.0}
    with waits:
        asked = job(images, tmp_path, row, **PLAIN, **overrides, **{"recipe.epochs": 1})
        counted = []
        train_here(asked, lambda event: (observe(event), counted.append(list(steps))))
    longest = max(counted, key=len)
    assert len(longest) == 6 and longest == [{}] * 6


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "ema"), [("32", 0.0), ("bf16", 0.0), ("bf16", 0.9)])
def test_a_network_is_compiled_once_for_training_and_once_for_validation(
    images, tmp_path, monkeypatch, precision, ema
):
    """Not again in the second epoch, for validation's last, smaller batch, or at the end."""
    root = tmp_path / "images"
    shutil.copytree(images, root)
    for file in (images / "val").glob("*/*.png"):
        for number in range(9):
            shutil.copy(file, root / "val" / file.parent.name / f"{number}-{file.name}")
    torch._dynamo.reset()
    counter, compile_module = CompileCounter(), torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module,
        "compile",
        lambda network, **options: compile_module(network, backend=counter, **options),
    )
    counts = []

    def observe(event):
        if isinstance(event, EpochDone):
            counts.append(counter.frame_count)

    given = {"threads": 1, "workers": 0, "precision": precision}
    machine, eager = (Machine(compile=way, **given) for way in (True, False))
    average = {"recipe.ema": ema}
    record = train_here(job(root, tmp_path / "runs", machine=machine, **average), observe)
    assert record.data["val"] == 150  # 128 and 22
    assert counts == [2, 2] and counter.frame_count == 2
    asked = job(root, tmp_path / "plain", machine=eager, **average)
    plain = train_here(asked, lambda event: None)
    assert record.top1 == pytest.approx(plain.top1, abs=1)
    assert record.loss == pytest.approx(plain.loss, abs=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler on a CPU")
def test_variants_that_differ_in_weights_only_share_the_compile_cache(tmp_path):
    """Each run has a process of its own; the second compiles nothing."""

    def compiled(*words):
        command = [sys.executable, Path(__file__).with_name("compiled_twice.py"), *words]
        environment = os.environ | {
            "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).parents[3]),
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    assert compiled("0", "1.0") == [0, 2]  # forward, backward
    assert compiled("1", "1e-6") in ([2, 0], [0, 0])  # the whole step is cached, or its two graphs


def step(number):
    return Step(step=number, epoch=0, micro_batch=number, learning_rate=0.1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_read_later_is_reported_with_its_own_step(bad):
    watch = LossWatch(torch.device("cpu"), lag=4)
    for number in range(7):
        watch.add(torch.tensor(bad if number == 3 else 1.0), step(number))
    with pytest.raises(NotFinite) as fault:
        watch.add(torch.tensor(1.0), step(7))
    assert fault.value.step == step(3) and not math.isfinite(fault.value.loss)
    watch = LossWatch(torch.device("cpu"), lag=4)
    watch.add(torch.tensor(1.0), step(0))
    watch.add(torch.tensor(bad), step(1))
    with pytest.raises(NotFinite) as fault:
        watch.check()
    assert fault.value.step == step(1)


@pytest.mark.slow
@pytest.mark.parametrize("lag", [0, 4])
def test_no_checkpoint_is_from_after_a_loss_that_is_not_finite(images, tmp_path, monkeypatch, lag):
    """A checkpoint is due after every step; the fault is found when one is to be written."""
    at = {}

    def watched(task):
        task.losses = LossWatch(task.device, lag=lag)

    original = Classification.training_step

    def training_step(task, batch, batch_idx):
        if task.global_step == 9:
            at["step"] = task.global_step
            batch = (batch[0] * math.nan, batch[1])
        return original(task, batch, batch_idx)

    monkeypatch.setattr(Classification, "on_train_start", watched)
    monkeypatch.setattr(Classification, "training_step", training_step)
    machine = Machine(threads=1, workers=0, save_every=0.0, keep="last")
    asked = job(images, tmp_path, machine=machine)
    record = train(asked)
    assert record.status == "diverged" and at == {"step": 9}
    assert "the loss is nan at step 9," in (asked.folder / "log.txt").read_text()
    assert read_checkpoint(asked.folder / "last.ckpt")["global_step"] == 9
    saved = read_checkpoint(asked.folder / "last.ckpt")["state_dict"]
    assert all(tensor.isfinite().all() for tensor in saved.values())


@pytest.mark.slow
def test_on_a_cpu_nothing_is_compiled_and_precision_is_32_and_the_plan_says_so(images, tmp_path):
    assert not torch.cuda.is_available()
    asked = job(images, tmp_path, **{"recipe.epochs": 1})
    auto = asked.machine
    assert (auto.precision, auto.compile) == ("auto", "auto")
    found = chosen(auto, asked.request)
    assert (found.precision, found.compile) == ("32", False)
    record = train(asked)
    assert (record.provenance.precision, record.provenance.compiled) == ("32", False)
    log = (asked.folder / "log.txt").read_text()
    assert "precision 32" in log and "compiled" not in log
    text = (asked.folder / "machine.yaml").read_text()
    assert "precision: '32'" in text and "compile: false" in text


def test_each_process_uses_its_own_gpu_before_any_memory_is_asked_for(
    images, tmp_path, monkeypatch
):
    class Set(Exception):
        pass

    def set_device(device):
        raise Set(device)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", set_device)
    monkeypatch.setattr("experiments.training.loop.choose_loading", pytest.fail)
    machine = Machine(threads=1, workers=0, devices=2, precision="32", compile=False)
    with pytest.raises(Set, match=re.escape(str(torch.device("cuda", 1)))):
        train_here(job(images, tmp_path, machine=machine), print, Place(rank=1, local=1, world=2))


class Gpu:
    """What torch says of a GPU with bf16."""

    @staticmethod
    def is_available():
        return True

    @staticmethod
    def is_bf16_supported(including_emulation=True):
        return not including_emulation


def test_on_a_gpu_long_runs_are_compiled_in_bf16(images, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.training.choices.torch.cuda", Gpu)
    short = job(images, tmp_path)
    found = chosen(short.machine, short.request)
    assert (found.precision, found.compile) == ("bf16", False)
    long = job(images, tmp_path, **{"recipe.epochs": 10_000})
    assert chosen(long.machine, long.request).compile is True
    assert estimate(long.request).seconds == pytest.approx(5000 * estimate(short.request).seconds)
    off = Machine(threads=1, workers=0, precision="32", compile=False)
    assert chosen(off, long.request) == off


@pytest.mark.slow
def test_a_long_run_of_a_timm_network_is_compiled_too(images, tmp_path, monkeypatch):
    """Its cost is counted, and says whether the run is long enough."""
    monkeypatch.setattr("experiments.training.choices.torch.cuda", Gpu)
    for epochs, compiled in ((2, False), (10_000, True)):
        overrides = {"recipe.batch": 6, "recipe.image_size": 32, "recipe.epochs": epochs}
        settings = Settings(roadmap="tiny", data=str(images), overrides=overrides, runs=tmp_path)
        request = Request(settings=settings, row="timm:test_convnext", seed=0)
        assert estimate(request) is None
        assert chosen(Machine(threads=1, workers=0), request).compile is compiled


def test_small_networks_on_a_gpu_are_replayed_as_cuda_graphs(images, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.training.choices.torch.cuda", Gpu)
    small, large = job(images, tmp_path), job(images, tmp_path, **{"recipe.image_size": 480})
    compiled = replace(small.machine, compile=True)
    assert compile_mode(compiled, small.request) == "reduce-overhead"
    assert compile_mode(small.machine, small.request) is None  # not compiled
    assert compile_mode(replace(compiled, devices=2), small.request) is None
    assert compile_mode(replace(compiled, accumulate=2), small.request) is None
    heavy = replace_batch(large, 4096)
    assert compile_mode(compiled, heavy) is None


def replace_batch(asked, batch):
    settings = replace(
        asked.request.settings,
        overrides={**asked.request.settings.overrides, "recipe.batch": batch},
    )
    return replace(asked.request, settings=settings)


@pytest.mark.slow
def test_cuda_graphs_are_told_of_each_batch_and_the_record_says_so(images, tmp_path, monkeypatch):
    marks, modes = [], []
    monkeypatch.setattr("experiments.training.loop.compile_mode", lambda *_: "reduce-overhead")
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: marks.append(1))
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda network, **options: modes.append(options)
    )
    machine = Machine(threads=1, workers=0, compile=True)
    asked = job(images, tmp_path, machine=machine)
    record = train(asked)
    assert modes == [{"dynamic": False, "mode": "reduce-overhead"}]
    assert len(marks) >= 2 * (3 + 1)  # two epochs of three steps and a validation batch
    assert record.provenance.cuda_graphs and record.provenance.compiled
    assert "compiled, with CUDA graphs" in (asked.folder / "log.txt").read_text()
    assert '"cuda_graphs": true' in (asked.folder / "record.json").read_text()


@pytest.mark.slow
def test_the_history_is_in_the_checkpoint(images, tmp_path):
    asked = job(images, tmp_path)
    record = train(asked)
    state = read_checkpoint(asked.folder / "last.ckpt")["callbacks"][ReportingCallback.__name__]
    assert state["history"] == record.history and state["correct"] == record.correct
    lines = (asked.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == record.history
