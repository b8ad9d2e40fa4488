"""The Triton kernels: right in the interpreter on the CPU, and compiled for two kinds of GPU."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from roadmap.kernels.choice import DIRECTIONS
from roadmap.kernels.tiles import tiles_to_try

launch = pytest.importorskip("roadmap.kernels.launch", reason="Triton is not installed")
HERE = Path(__file__).parent
TOLERANCE = {"torch.float32": 1e-6, "torch.bfloat16": 6e-3}


def run(script, *words, given="", **variables):
    """Run a script of this folder in a process of its own; its output."""
    environment = os.environ | variables | {"PYTHONPATH": str(HERE.parents[2])}
    command = [sys.executable, HERE / script, *words]
    done = subprocess.run(command, input=given, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# kernel, stride, channels, side, batch: odd sizes, channels that fill no block, 7×7 maps, batch 1
QUICK = [(3, 2, 33, 7, 2), (3, 1, 5, 1, 1)]
ALL = [(7, 1, 40, 7, 1), (7, 2, 20, 9, 1), (5, 2, 24, 11, 1), (9, 1, 8, 9, 1), (11, 1, 20, 7, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("cases", [QUICK, ALL], ids=["quick", "all"])
def test_each_direction_is_torchs_convolution_in_float32(cases):
    told = run("interpreted.py", "errors", given=json.dumps(cases), TRITON_INTERPRET="1")
    rows = [json.loads(line) for line in told.splitlines()]
    assert len(rows) >= 2 * 5 * len(cases)
    for case, direction, tile, dtype, error in rows:
        assert error < TOLERANCE[dtype], (case, direction, tile)


@pytest.mark.slow
def test_the_operator_mixes_with_torchs_gradients_and_compiles():
    assert run("interpreted.py", "operator", TRITON_INTERPRET="1").strip() == "same"


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("kernel", [3, 7, 11])
def test_kernels_compile_without_a_device_and_spill_little(capability, kernel, tmp_path):
    given = (str(capability), str(kernel), "fp32" if kernel == 3 else "bf16")
    told = run("without_device.py", *given, TRITON_CACHE_DIR=str(tmp_path))
    print(told)
    spills = [int(line.split(" bytes spill stores")[0].split()[-1]) for line in told.splitlines()]
    assert len(spills) >= 10 and max(spills) <= 64
    # The seconds are printed, not tested: they depend on the machine, and follow from the length.
    # A network has three directions, and at most two strides of a kernel: six compilations.
    lengths = [int(line.split(" lines of PTX")[0].split()[-1]) for line in told.splitlines()]
    assert 0 < sum(sorted(lengths)[-6:]) < 20_000, lengths


def test_kernels_are_launched_on_the_device_of_the_map(monkeypatch):
    launched, entered = [], []

    @contextmanager
    def device_of(x):
        entered.append(x)
        yield
        entered.pop()

    class Kernel:
        def __getitem__(self, grid):
            return lambda x, *_, **__: launched.append(entered[-1])

    monkeypatch.setattr(torch.cuda, "device_of", device_of)
    for name in ("convolve", "correlate"):
        monkeypatch.setattr(launch, name, Kernel())
    tiles = {direction: tiles_to_try(direction, 3)[0] for direction in DIRECTIONS}
    x = torch.zeros(2, 8, 5, 5).contiguous(memory_format=torch.channels_last)
    weight = torch.zeros(8, 1, 3, 3)
    launch.forward(x, weight, None, 1, 1, tiles["forward"])
    launch.input_gradient(x, weight, (5, 5), 1, 1, tiles["input"])
    launch.weight_gradient(x, x, 3, 1, 1, tiles["weight"])
    assert len(launched) == 3 and all(each is x for each in launched) and not entered
