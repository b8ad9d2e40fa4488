"""On a GPU: the loaders give the batches that a CPU gives, to the bit."""

import pytest
import torch

from experiments.data.folder import Folder
from experiments.data.splits import open_data
from experiments.loading.loaders import Loading, evaluation_loader, train_loader
from experiments.loading.samplers import Share
from roadmap.edit import replace
from steps.recipes.load import load_recipe

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, NO_CUDA])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
@pytest.mark.parametrize("workers", [0, 2])
def test_augmented_batches_are_those_of_the_cpu(images, device, held, workers):
    recipe = replace(load_recipe("imagenet-enhanced"), image_size=40, batch=12)
    place = torch.device(device)
    batches = []
    for where, loading in (
        (torch.device("cpu"), Loading(held=False)),
        (place, Loading(held=held, on_gpu=held, workers=workers)),
    ):
        data = open_data(Folder.read(str(images), None))
        data = data.hold() if loading.held else data
        given = {"share": Share(), "loading": loading, "device": where}
        loader = train_loader(data, recipe, 7, **given)
        made = [*loader, *loader, *evaluation_loader(data, recipe, **given)]
        batches.append(made)
    assert len(batches[0]) == 3 + 3 + 1
    for (expected, labels), (found, same) in zip(*batches, strict=True):
        assert found.device.type == same.device.type == device
        assert torch.equal(found.cpu(), expected) and torch.equal(same.cpu(), labels)
