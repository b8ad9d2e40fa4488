"""On a GPU: runs train as on a CPU, resume, share the device and do not wait for it.

Tests with a device run on the CPU too, which shows that they work; `-m gpu` selects the others.
"""

import json
import signal
import time

import pytest
import torch

from experiments.host.events import EpochDone, StepDone
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.request import Request
from experiments.settings import Settings
from experiments.tasks.classification import Classification
from experiments.training.loop import train_here
from roadmap.kernels import choice, device
from steps.roadmaps.load import load_roadmap
from tests.program import Program

ON_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
DEVICES = ["cpu", pytest.param("cuda", marks=ON_GPU)]
ROWS = [
    *[("cpu", number) for number in ("00", "05", "13")],
    *[pytest.param("cuda", row.number, marks=ON_GPU) for row in load_roadmap("tiny")],
]
STEPS = 20
EPOCH = 6  # steps: 36 images in batches of 6
SMALL = {
    "recipe.epochs": 4,
    "recipe.batch": 6,
    "recipe.image_size": 32,
    "recipe.learning_rate": 1e-3,  # row 00's own would make 20 steps of 6 images chaotic
    "network.stages.all.depth": 1,
    "network.drop_path": 0.0,  # each device draws other numbers
}
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Products of float32 in float32: the default for convolutions is TF32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def hide_gpu(patch):
    patch.setattr(torch.cuda, "is_available", lambda: False)
    patch.setattr(torch.cuda, "device_count", lambda: 0)


def losses(images, runs, row, place, *, precision="32", compiled=False, gpu_path=False):
    """The losses of the first steps of a run on a device, in order.

    With `gpu_path` the CPU computes as a GPU does, which rounds differently.
    """
    seen = []
    original = Classification.training_step

    def training_step(task, batch, batch_idx):
        loss = original(task, batch, batch_idx)
        assert batch[0].device.type == loss.device.type == place
        seen.append(loss.detach())
        return loss

    settings = Settings(roadmap="tiny", data=str(images), overrides=SMALL, runs=runs)
    request = Request(settings=settings, row=row, seed=0)
    request.folder.mkdir(parents=True)
    machine = Machine(threads=1, workers=0, precision=precision, compile=compiled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classification, "training_step", training_step)
        if place == "cpu":
            hide_gpu(patch)
        if place == "cpu" and compiled:
            compile_module = torch.nn.Module.compile
            patch.setattr(
                torch.nn.Module,
                "compile",
                lambda network, **options: compile_module(network, backend="aot_eager", **options),
            )
        if gpu_path:
            patch.setattr(device, "on_gpu", lambda x: True)
            patch.setattr(choice, "gpu_name", lambda index: "unknown GPU")
        record = train_here(Job(request=request, machine=machine), lambda event: None)
    assert record.status == "finished" and record.provenance.precision == precision
    assert record.provenance.compiled == compiled and len(seen) == 4 * EPOCH
    return torch.stack(seen)[:STEPS].float().cpu()


# Relative. In 20 steps rounding of float32 grows to about a thousandth (see the CPU's variant).
@pytest.mark.parametrize(("place", "row"), ROWS)
def test_losses_of_20_steps_are_those_of_the_cpu(images, tmp_path, place, row):
    expected = losses(images, tmp_path / "expected", row, "cpu")
    found = losses(images, tmp_path / "found", row, place, gpu_path=place == "cpu")
    difference = (found / expected - 1).abs()
    print(f"row {row} on {place}: largest relative difference {difference.max():.1e}")
    assert difference[0] < 1e-4 and difference.max() < 0.02, difference


@pytest.mark.parametrize("place", DEVICES)
@pytest.mark.parametrize("row", ["00", "13"])
def test_bf16_trains_as_float32_does(images, tmp_path, place, row):
    expected = losses(images, tmp_path / "32", row, place)
    found = losses(images, tmp_path / "bf16", row, place, precision="bf16")
    difference = (found / expected - 1).abs()
    assert 0 < difference.mean() < 0.1, difference


@pytest.mark.parametrize("place", DEVICES)
@pytest.mark.parametrize("row", ["00", "13"])
def test_a_compiled_run_trains_as_an_eager_one(images, tmp_path, place, row):
    torch._dynamo.reset()
    expected = losses(images, tmp_path / "eager", row, place)
    found = losses(images, tmp_path / "compiled", row, place, compiled=True)
    difference = (found / expected - 1).abs()
    assert difference[0] < 1e-4 and difference.max() < 0.02, difference


@pytest.mark.parametrize("place", DEVICES)
@pytest.mark.parametrize("held", ["memory", "stream"])
@pytest.mark.parametrize("row", ["00", "13"])
def test_no_step_waits_for_the_gpu(images, tmp_path, monkeypatch, place, held, row):
    """An error between an epoch's first step and its last one; with every way to mix, an average.

    The CPU's variant shows only that steps are watched: test_step counts its waits.
    """
    monkeypatch.setattr("experiments.training.reporting.SECONDS", -1.0)  # every step is reported
    modes = []

    def watch(mode):
        modes.append(mode)
        if place == "cuda":
            torch.cuda.set_sync_debug_mode(mode)

    def observe(event):
        if isinstance(event, EpochDone) or not isinstance(event, StepDone):
            return
        if event.step % EPOCH == 1:
            watch("error")
        elif event.step % EPOCH == 0:
            watch("default")

    if place == "cpu":
        hide_gpu(monkeypatch)
    overrides = SMALL | {"recipe.epochs": 2, "recipe.ema": 0.9, "network.drop_path": 0.1}
    settings = Settings(roadmap="tiny", data=str(images), overrides=overrides, runs=tmp_path)
    request = Request(settings=settings, row=row, seed=0)
    request.folder.mkdir(parents=True)
    machine = Machine(threads=1, workers=2, images=held)
    try:
        record = train_here(Job(request=request, machine=machine), observe)
    finally:
        if place == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    assert modes == ["error", "default"] * 2 and record.status == "finished"
    assert ("on the GPU" in record.provenance.images) == (place == "cuda" and held == "memory")


def roadmap(place, *given):
    """Start the program, which sees a GPU only if it is to use one."""
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if place == "cpu" else {}
    return Program(given, environment=hidden)


def settings_of(images, runs, epochs):
    overrides = [f"{key}={value}" for key, value in {**SMALL, "recipe.epochs": epochs}.items()]
    sets = [part for each in overrides for part in ("--set", each)]
    return ["--data", images, "--runs", runs, "--threads", "1", "--precision", "32", *sets]


def finish(process):
    output, errors = process.communicate(timeout=500)
    assert process.returncode == 0, output + errors


def records(runs):
    return [json.loads(path.read_text()) for path in sorted(runs.glob("*/record.json"))]


@pytest.mark.parametrize("place", DEVICES)
def test_a_killed_run_resumes(images, tmp_path, place):
    """On the CPU at the same bits. A GPU adds in any order: its losses agree up to rounding."""
    histories = []
    for name, kill in (("whole", False), ("killed", True)):
        runs = tmp_path / name
        given = ["train", "13", "--save-every", "0", *settings_of(images, runs, 10)]
        process = roadmap(place, *given)
        if kill:
            end = time.monotonic() + 300
            while not (any(runs.glob("*/metrics.jsonl")) and any(runs.glob("*/last.ckpt"))):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert not any(runs.glob("*/record.json"))
            process = roadmap(place, *given)
        finish(process)
        (record,) = records(runs)
        (log,) = runs.glob("*/log.txt")
        assert ("resuming in epoch" in log.read_text()) == kill
        for row in record["history"]:
            del row["seconds"], row["images_per_second"]
        histories.append(record["history"])
    whole, killed = histories
    assert len(whole) == len(killed) == 10
    for one, other in zip(whole, killed, strict=True):
        assert one == other or place == "cuda"
        for key in ("train_loss", "loss", "learning_rate", "epoch"):
            assert one[key] == pytest.approx(other[key], rel=0.05)


@pytest.mark.parametrize("place", DEVICES)
def test_two_runs_share_a_device(images, tmp_path, place):
    given = ["run", "--rows", "00,13", "--jobs", "2", *settings_of(images, tmp_path, 10)]
    finish(roadmap(place, *given))
    both = records(tmp_path)
    assert [record["status"] for record in both] == ["finished"] * 2
    first, second = (record["provenance"] for record in both)
    assert first["started"] < second["finished"] and second["started"] < first["finished"]
    assert first["hardware"] == second["hardware"]
    if place == "cuda":
        assert first["hardware"] == torch.cuda.get_device_name()
