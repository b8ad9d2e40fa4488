"""A folder of images made here."""

import numpy
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Three classes of 32-pixel images that differ in their stripes; 12 for training, 5 for val."""
    root = tmp_path_factory.mktemp("images")
    generator = numpy.random.default_rng(0)
    for split, count in (("train", 12), ("val", 5)):
        for label, name in enumerate(("a", "b", "c")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                wave = numpy.sin(numpy.arange(32) * (0.3 + 0.5 * label) + generator.random() * 6)
                pixels = 128 + 80 * wave[:, None, None] + generator.normal(0, 20, (32, 32, 3))
                saved = Image.fromarray(numpy.clip(pixels, 0, 255).astype(numpy.uint8))
                saved.save(folder / f"{number}.png")
    return root
