"""The choice of how images reach the network, and the loaders."""

import numpy
import torch
from PIL import Image

from experiments.data.splits import Split
from experiments.host.machine import Machine
from experiments.loading.loaders import Loading, choose_loading
from experiments.loading.resampling import Resampling
from roadmap.edit import replace
from steps.recipes.load import load_recipe


def split_of(count):
    arrays = [numpy.full((40, 52, 3), number, dtype=numpy.uint8) for number in range(count)]
    return Split(image=arrays.__getitem__, labels=numpy.arange(count), arrays=arrays)


def test_images_are_held_where_they_fit(monkeypatch):
    recipe = load_recipe("tiny-enhanced")
    data = type("Data", (), {"train": split_of(30), "val": split_of(30)})()
    machine = Machine(threads=2, workers=1)
    assert choose_loading(data, recipe, machine) == Loading(held=True, workers=0)
    for images, held in (("stream", False), ("memory", True)):
        given = Machine(threads=2, workers=1, images=images)
        assert choose_loading(data, recipe, given).held is held
    monkeypatch.setattr("experiments.loading.loaders.memory_limit", lambda: 4 * data.train.bytes)
    assert choose_loading(data, recipe, machine) == Loading(held=False, workers=1)
    enough = 4 * (data.train.bytes + data.val.bytes + 30 * 3 * recipe.image_size**2)
    monkeypatch.setattr("experiments.loading.loaders.memory_limit", lambda: enough)
    assert choose_loading(data, recipe, machine).held
    # every process holds them all; without a crop the training images are kept resized, too
    assert not choose_loading(data, recipe, Machine(threads=1, workers=1, devices=2)).held
    plain = {"crop_scale": None, "flip": 0.0, "randaugment": None, "erasing": 0.0}
    assert not choose_loading(data, replace(recipe, **plain), machine).held


def test_a_gpu_holds_images_if_a_batch_can_be_augmented_too(monkeypatch):
    """The memory is that of the process's own GPU, and loading processes serve any GPU."""
    recipe = load_recipe("tiny-enhanced")
    data = type("Data", (), {"train": split_of(30), "val": split_of(30)})()
    machine = Machine(threads=1, workers=3, devices=2)
    images = data.train.bytes + data.val.bytes + 30 * 3 * recipe.image_size**2
    crops = recipe.batch // 2 * 52 * 52 * (8 + 3 + 24)
    weights = Resampling.up_to(52, recipe.image_size, recipe.interpolation, torch.device("cpu"))
    tables = weights.first.nbytes + weights.weights.nbytes
    free, asked = [0], []

    def mem_get_info(device):
        asked.append(device)
        return free[0], free[0]

    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
    monkeypatch.setattr("experiments.loading.loaders.memory_limit", lambda: 1 << 40)
    for size, on_gpu in ((images, False), (images + crops + tables, True)):
        free[0] = 4 * size
        found = choose_loading(data, recipe, machine, torch.device("cuda", 1))
        assert found == Loading(held=True, on_gpu=on_gpu, workers=3)
    assert asked == [torch.device("cuda", 1)] * 2


def test_the_longest_side_is_that_of_any_image():
    held = split_of(3)
    opened = Split(image=lambda index: Image.fromarray(held.arrays[index]), labels=numpy.arange(3))
    assert held.longest == opened.longest == 52 and held.bytes == opened.bytes
