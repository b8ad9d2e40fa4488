"""The choice of how images reach the network, and the loaders."""

import numpy

from experiments.data.splits import Split
from experiments.host.machine import Machine
from experiments.loading.loaders import Loading, choose_loading
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
