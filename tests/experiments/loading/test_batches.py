"""Handing over batches: packets, small shared memory, loading processes that die."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from experiments.data.splits import Split, Statistics
from experiments.loading import batches
from experiments.loading.batches import Halves, Loader, hand_over, one_ahead
from experiments.loading.packet import Arrays, Packet
from experiments.loading.samplers import EpochSampler
from experiments.loading.views import Held, HeldOnDevice, Streamed
from roadmap.edit import replace
from roadmap.errors import Problem
from steps.recipes.load import load_recipe

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")


def views_of(kind, *given, image_size=16):
    generator = numpy.random.default_rng(0)
    arrays = list(generator.integers(0, 256, (32, 20, 24, 3), dtype=numpy.uint8))
    split = Split(
        image=lambda index: Image.fromarray(arrays[index]), labels=numpy.arange(32), arrays=arrays
    )
    recipe = replace(load_recipe("cifar-enhanced"), image_size=image_size, batch=8)
    return kind(split, recipe, 3, Statistics(), *given)


def test_a_packet_keeps_arrays_of_any_type_and_shape():
    arrays = Arrays(
        tensors={
            "bytes": torch.arange(7, dtype=torch.uint8),
            "none": torch.empty(0, 256, dtype=torch.uint8),
            "doubles": torch.rand(3, 6, dtype=torch.float64),
            "turned": torch.rand(2, 3, 4).permute(2, 0, 1),
            "one": torch.tensor(5),
        },
        counts={"kinds": (1, 0, 2)},
    )
    for share in (False, True):
        unpacked = Packet.pack(arrays, share=share).to(CPU).unpack()
        assert unpacked.counts == arrays.counts and list(unpacked.tensors) == list(arrays.tensors)
        for name, tensor in arrays.tensors.items():
            assert unpacked.tensors[name].dtype == tensor.dtype
            assert torch.equal(unpacked.tensors[name], tensor)


@pytest.mark.parametrize("given", [(Held,), (Streamed,), (HeldOnDevice, CPU)], ids=str)
@pytest.mark.parametrize("workers", [0, 2])
def test_what_loading_processes_hand_over_is_finished_to_the_same_batch(given, workers):
    """The way to a GPU, finished on the CPU."""
    views, sampler = views_of(*given), EpochSampler(32, 8, 0)
    loader = DataLoader(
        Halves(views, whole=False),
        sampler=sampler,
        batch_size=None,
        num_workers=workers,
        collate_fn=lambda arrays: hand_over(arrays, pack=True),
        multiprocessing_context="fork" if workers else None,
    )
    for keys, packet in zip(sampler, loader, strict=True):
        expected = views[keys]
        for tensor, other in zip(views.finish(packet.unpack()), expected, strict=True):
            assert torch.equal(tensor, other)


def test_the_next_item_is_there_before_one_is_used():
    taken = []

    def items():
        for number in range(3):
            taken.append(number)
            yield number

    assert [(item, len(taken)) for item in one_ahead(items())] == [(0, 2), (1, 3), (2, 3)]
    assert list(one_ahead([])) == []


def test_all_epochs_on_a_gpu_share_one_stream(monkeypatch):
    """torch keeps memory of its own for each stream that was ever used."""
    made = []
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: made.append(device) or len(made))
    monkeypatch.setattr(batches, "ahead", lambda packets, finish, stream: iter([stream]))
    loaders = [Loader(views_of(Held), EpochSampler(32, 8, 0), 0, CPU) for _ in range(2)]
    for loader in loaders:
        loader.device = torch.device("cuda")
    assert not made
    assert [list(loader) for loader in (*loaders, *loaders)] == [[1], [2], [1], [2]]
    assert made == [torch.device("cuda")] * 2


SMALL = """
import sys
import torch
from experiments.loading.batches import Loader
from experiments.loading.samplers import EpochSampler
sys.path.insert(0, sys.argv[1])
from test_batches import Held, views_of

views, sampler = views_of(Held, image_size=128), EpochSampler(32, 8, 0)
loader = Loader(views, sampler, 2, torch.device("cpu"))
for keys, (images, labels) in zip(sampler, loader, strict=True):
    expected = views[keys]
    assert torch.equal(images, expected[0]) and torch.equal(labels, expected[1])
print("all there")
"""  # the loader is alive when Python ends, which must not wait for loading processes


@pytest.mark.slow
def test_batches_arrive_where_shared_memory_is_small():
    """A batch has 1.5 MiB. Docker's 64 MB are less than a batch of 110 images of 224 pixels."""
    mounts = "mount -t tmpfs -o size=1m none /dev/shm"
    try:
        subprocess.run(["unshare", "-m", "sh", "-c", mounts], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh",
         sys.executable, "-c", SMALL, str(Path(__file__).parent)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout == "all there\n", done.stderr


ENDING = """
import multiprocessing
import sys
import torch
from experiments.loading.batches import Loader
from experiments.loading.samplers import EpochSampler
sys.path.insert(0, sys.argv[1])
from test_batches import Held, views_of

kept = []

def train():
    kept.append(Loader(views_of(Held), EpochSampler(32, 8, 0), 2, torch.device("cpu")))
    next(iter(kept[0]))

process = multiprocessing.get_context("fork").Process(target=train)
process.start()
process.join()
print(process.exitcode)
train()
"""


@pytest.mark.slow
def test_neither_a_process_nor_a_program_waits_for_its_loading_processes_at_its_end():
    """A failed run's traceback, say, keeps the loader alive."""
    done = subprocess.run(
        [sys.executable, "-c", ENDING, str(Path(__file__).parent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and done.stdout == "0\n", done.stderr


class Dying(Held):
    """Views of which a loading process is killed, as the kernel does when memory is short."""

    def make(self, keys):
        if len(self.arrays) - 1 in [index for _, index in keys]:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().make(keys)


def test_a_loading_process_that_dies_ends_the_run_with_its_reason():
    loader = Loader(views_of(Dying), EpochSampler(32, 8, 0), 1, CPU)
    with pytest.raises(Problem, match="loading process ended .*(Killed|exited).*--workers 0"):
        list(loader)


BROKEN = (
    ConnectionResetError(104, "Connection reset by peer"),
    FileNotFoundError(2, "gone"),
    EOFError(),
)


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
def test_a_socket_that_breaks_during_a_transfer_has_the_same_reason(error, monkeypatch):
    """A loading process that dies while it hands over a batch breaks its socket first."""
    loader = Loader(views_of(Held), EpochSampler(32, 8, 0), 1, CPU)

    def breaks(self):
        raise error

    monkeypatch.setattr(_MultiProcessingDataLoaderIter, "_next_data", breaks)
    with pytest.raises(Problem, match="loading process ended .*transfer.*--workers 0"):
        list(loader)


class Missing(Held):
    """Views that miss a file."""

    def make(self, keys):
        raise FileNotFoundError(2, "No such file or directory", "cat.png")


def test_an_error_of_a_loading_process_itself_stays_what_it_is():
    loader = Loader(views_of(Missing), EpochSampler(32, 8, 0), 1, CPU)
    with pytest.raises(FileNotFoundError, match="in DataLoader worker process"):
        list(loader)
    assert not any(process.is_alive() for process in loader._iterator._workers)


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="needs Linux's shared memory")
def test_shared_memory_is_given_back():
    loader = Loader(views_of(Held), EpochSampler(32, 8, 0), 1, CPU)
    used = [shutil.disk_usage("/dev/shm").used for _ in range(3) if list(loader)]
    assert used[2] <= used[0] + (1 << 20)
