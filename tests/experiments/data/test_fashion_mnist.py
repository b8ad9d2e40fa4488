"""Fashion-MNIST, and the idx files that it is made of."""

import gzip
import struct

import numpy
import pytest

from experiments.data.fashion_mnist import INSTALLED, FashionMnist
from experiments.data.idx import read_idx
from experiments.data.sources import read_source
from experiments.data.splits import open_data
from roadmap.errors import Problem

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(numpy.uint8).tobytes()


def write(root, *, packed=True, **changed):
    """A small set: 30 training and 7 test images of 4 × 5 pixels."""
    root.mkdir()
    generator = numpy.random.default_rng(0)
    for start, count in (("train", 30), ("t10k", 7)):
        files = {
            f"{start}-{IMAGES}": idx(generator.integers(0, 256, (count, 4, 5))),
            f"{start}-{LABELS}": idx(numpy.arange(count) % 3),
        }
        for name, content in files.items():
            content = changed.get(name, content)
            path = root / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content) if packed else content)
    return root


def test_grey_images_become_colour(tmp_path):
    root = write(tmp_path / "small")
    source = FashionMnist.read("fashion-mnist", root)
    assert (source.name, source.classes, source.images) == ("fashion-mnist", 3, 30)
    data = open_data(source)
    grey = read_idx(root / f"train-{IMAGES}.gz")
    image = numpy.asarray(data.train.image(7))
    assert image.shape == (4, 5, 3) and (image == grey[7][..., None]).all()
    assert data.train.labels[:5].tolist() == [0, 1, 2, 0, 1] and len(data.val) == 7


def test_the_fingerprint_is_over_the_bytes_packed_or_not(tmp_path):
    packed, plain = write(tmp_path / "packed"), write(tmp_path / "plain", packed=False)
    prints = [FashionMnist.read("fashion-mnist", root).fingerprint for root in (packed, plain)]
    assert prints[0] == prints[1] and len(prints[0]) == 12
    pixels = read_idx(packed / f"t10k-{IMAGES}.gz").copy()
    pixels[3, 2, 1] ^= 1
    other = write(tmp_path / "other", **{f"t10k-{IMAGES}": idx(pixels)})
    assert FashionMnist.read("fashion-mnist", other).fingerprint != prints[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (f"train-{LABELS}", b"", "no idx file"),
        (f"train-{LABELS}", idx(numpy.zeros(30))[:-1], "its header says 30, it has 37 bytes"),
        (f"t10k-{LABELS}", idx(numpy.full(7, 9)), "does not hold labels of 0 to 2"),
        (f"t10k-{IMAGES}", idx(numpy.zeros((6, 4, 5))), "one grey image per label"),
        (f"train-{IMAGES}", struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "is damaged"),
        (f"train-{IMAGES}", struct.pack(">4B", 0, 0, 8, 200), "is damaged"),
        (f"train-{IMAGES}", struct.pack(">4B3I", 0, 0, 13, 3, 1, 1, 1), "no idx file"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    root = write(tmp_path / "small", **{name: content})
    with pytest.raises(Problem, match=message) as fault:
        open_data(FashionMnist.read("fashion-mnist", root))
    assert name in str(fault.value)


def test_a_torn_gzip_file_is_named(tmp_path):
    root = write(tmp_path / "small")
    path = root / f"train-{LABELS}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(Problem, match=f"train-{LABELS}.gz cannot be read"):
        FashionMnist.read("fashion-mnist", root)


def test_how_to_install_it_is_said(tmp_path):
    with pytest.raises(Problem, match=r"apt-get install dataset-fashion-mnist"):
        FashionMnist.read("fashion-mnist", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED.is_dir(), reason="Debian's dataset-fashion-mnist is not here")
def test_the_package_holds_the_published_set():
    source = read_source("fashion-mnist")
    assert (source.classes, source.images, source.fingerprint) == (10, 60000, "14410854cf7a")
    data = open_data(source)
    assert numpy.bincount(data.train.labels).tolist() == [6000] * 10
    assert numpy.bincount(data.val.labels).tolist() == [1000] * 10
    assert data.val.image(9999).size == (28, 28)
    assert data.train.statistics().mean[0] == pytest.approx(0.286, abs=0.01)
