"""timm's own data sets."""

import shutil
import struct

import numpy
import pytest
from PIL import Image

from experiments.data.check import broken_images
from experiments.data.sources import read_source
from experiments.data.splits import Statistics, open_data
from experiments.data.timm_reading import whole_labels
from experiments.loading.views import Held
from roadmap.errors import Problem
from steps.recipes.load import load_recipe


def write_mnist(root, validated=3):
    """30 training and 7 validation images in MNIST's files, of 3 and of `validated` classes."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    generator = numpy.random.default_rng(0)
    for split, count, classes in (("train", 30, 3), ("t10k", 7, validated)):
        pixels = generator.integers(0, 256, (count, 28, 28), dtype=numpy.uint8)
        head = struct.pack(">4i", 2051, count, 28, 28)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        labels = (numpy.arange(count) % classes).astype(numpy.uint8)
        head = struct.pack(">2i", 2049, count)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())


def test_labels_that_training_does_not_know_are_named(tmp_path):
    write_mnist(tmp_path, validated=5)
    with pytest.raises(
        Problem, match=r"\(val\): label 4 of an image, but those of train are 0 to 2"
    ):
        read_source("torch/mnist", tmp_path)


@pytest.mark.parametrize("labels", [["a", "b"], [0.5, 1.0], [[0, 1], [1, 0]], [None], []])
def test_labels_that_are_not_one_whole_number_an_image_are_refused(labels):
    with pytest.raises(Problem, match="torch/x has no labels that are one whole number an image"):
        whole_labels(labels, "torch/x")


def test_a_data_set_of_torchvision(tmp_path):
    write_mnist(tmp_path)
    source = read_source("torch/mnist", tmp_path)
    assert (source.classes, source.images) == (3, 30)
    data = open_data(source, tmp_path)
    assert (len(data.val), data.train.image(0).mode) == (7, "RGB")
    assert data.train.labels[:4].tolist() == [0, 1, 2, 0]
    batch, labels = Held(data.hold().train, load_recipe("tiny-enhanced"), 0, Statistics())[
        [(0, 1), (0, 2)]
    ]
    assert batch.shape == (2, 3, 48, 48) and labels.tolist() == [1, 2]


def test_a_data_set_of_hugging_face(images, tmp_path):
    pytest.importorskip("datasets")
    source = read_source(f"hfds/{images}", tmp_path)
    assert (source.classes, source.images) == (3, 36)
    data = open_data(source, tmp_path)
    folder = open_data(read_source(str(images)), tmp_path)
    assert sorted(data.train.image(i).tobytes() for i in range(36)) == sorted(
        folder.train.image(i).tobytes() for i in range(36)
    )
    assert len(data.val) == 15


def test_a_broken_image_of_hugging_face_is_named(images, tmp_path):
    pytest.importorskip("datasets")
    root = tmp_path / "harmed"
    shutil.copytree(images, root)
    file = root / "train/a/3.png"
    file.write_bytes(file.read_bytes()[:200])
    data = open_data(read_source(f"hfds/{root}", tmp_path), tmp_path)
    (fault,) = broken_images(data, lambda done, total: None)
    assert f"of hfds/{root}, train cannot be read" in fault


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torch/nothing", "Unknown torchvision dataset nothing"),
        ("torch/image_folder", r"\(train\) is not in"),
        ("wds/nothing", "has no _info.json"),
        ("tfds/nothing", "pip install tensorflow"),
    ],
)
def test_a_missing_data_set_says_what_to_do(name, message, tmp_path):
    with pytest.raises(Problem, match=message) as found:
        read_source(name, tmp_path)
    assert name in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize("kind", ["hfds", "torch"])
def test_postscript_is_refused_by_readers_of_others(images, tmp_path, kind):
    root = tmp_path / "posing"
    shutil.copytree(images, root)
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    (root / "train/a/3.jpg").write_bytes(content)
    if kind == "hfds":
        pytest.importorskip("datasets")
        source = read_source(f"hfds/{root}", tmp_path)
    else:
        source = read_source("torch/image_folder", root)
    (fault,) = broken_images(open_data(source), lambda done, total: None)
    assert f"of {source.name}, train cannot be read" in fault
    assert "EPS" not in Image.ID  # so that no reader in this process opens it
