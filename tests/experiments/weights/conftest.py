"""A folder of images, weights in files, and short runs that start from them."""

import numpy
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from experiments.request import Request
from experiments.settings import Settings
from experiments.weights.choice import Start
from tests.experiments.weights.short import SHORT


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Two classes of flat 32-pixel images, dark and light: 8 for training and 4 for val."""
    root = tmp_path_factory.mktemp("photos")
    generator = numpy.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for name, low in (("dark", 20), ("light", 160)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(low, low + 60, (32, 32, 3), dtype=numpy.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def convnext(tmp_path_factory):
    """timm's ConvNeXt of the tiny roadmap's size, for 1000 classes, in a safetensors file."""
    torch.manual_seed(5)
    model = timm.create_model("convnext_tiny", depths=(2, 2, 6, 2), dims=(24, 48, 96, 192))
    path = tmp_path_factory.mktemp("weights") / "convnext.safetensors"
    save_file(model.state_dict(), path)
    return path


@pytest.fixture
def ask(photos, tmp_path):
    """Make a request for a row that starts from a source."""

    def make(row="13", source=None, *, scratch=False, **overrides):
        runs = tmp_path / "runs"
        start = None if source is None else Start(str(source), runs, scratch=scratch)
        settings = Settings(
            roadmap="tiny",
            data=str(photos),
            overrides={**SHORT, **overrides},
            runs=runs,
            start=start,
        )
        return Request(settings=settings, row=row, seed=0)

    return make
