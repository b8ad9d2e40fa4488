"""On a GPU: the same batches as on the CPU, made without waiting for the GPU."""

from collections.abc import Iterator

import numpy
import pytest
import torch
from PIL import Image

from experiments.data.splits import DataSet, Split, Statistics
from experiments.loading.loaders import Loading, evaluation_loader, train_loader
from experiments.loading.samplers import Share
from roadmap.edit import replace
from steps.recipes.load import load_recipe

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
STEPS = 8


def data_of(sizes):
    generator = numpy.random.default_rng(0)
    arrays = []
    for number in range(64 * STEPS):
        height, width = sizes[number % len(sizes)]
        coarse = generator.integers(0, 256, (5, 5, 3), dtype=numpy.uint8)
        arrays.append(numpy.asarray(Image.fromarray(coarse).resize((width, height))))
    split = Split(
        image=lambda index: Image.fromarray(arrays[index]),
        labels=numpy.arange(len(arrays)),
        arrays=arrays,
    )
    return type("Data", (DataSet,), {"statistics": lambda self, recipe: Statistics()})(
        source=None, train=split, val=split
    )


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Any operation that waits for the GPU raises."""
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("sizes", [((32, 32),), ((40, 52), (64, 48), (37, 91))], ids=str)
def test_a_gpu_gets_the_batches_of_the_cpu_without_a_wait(sizes, held, workers, no_waiting):
    data, recipe = data_of(sizes), replace(load_recipe("cifar-enhanced"), batch=64)
    loading = Loading(held=held, on_gpu=held, workers=workers)
    given = (data, recipe, 3)
    device = torch.device("cuda")
    on_gpu = train_loader(*given, share=Share(), loading=loading, device=device)
    on_cpu = train_loader(*given, share=Share(), loading=Loading(held=True))
    arrived = []
    for number, (images, labels) in enumerate(on_gpu):
        assert images.device.type == labels.device.type == "cuda"
        assert images.is_contiguous(memory_format=torch.channels_last)
        images.sum()  # as a step uses them
        arrived.append((images.clone(), labels.clone()))
        if number == 1:  # the first batches load kernels
            torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")
    assert len(arrived) == STEPS
    for batch, expected in zip(arrived, on_cpu, strict=True):
        for tensor, other in zip(batch, expected, strict=True):
            assert torch.equal(tensor.cpu(), other)


@pytest.mark.parametrize("held", [True, False])
def test_a_gpu_evaluates_the_images_of_the_cpu(held):
    data, recipe = data_of(((40, 52),)), load_recipe("cifar-enhanced")
    loading = Loading(held=held, on_gpu=held)
    given = {"share": Share(world=3, rank=1)}
    on_gpu = evaluation_loader(data, recipe, **given, loading=loading, device=torch.device("cuda"))
    on_cpu = evaluation_loader(data, recipe, **given, loading=Loading(held=True))
    for batch, expected in zip(on_gpu, on_cpu, strict=True):
        for tensor, other in zip(batch, expected, strict=True):
            assert torch.equal(tensor.cpu(), other)
