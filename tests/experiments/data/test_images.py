"""Opening images: every kind, only listed formats, statistics."""

import shutil

import numpy
import pytest
from PIL import EpsImagePlugin, Image

from experiments.data.check import broken_images, fault_of, without_broken
from experiments.data.images import BrokenImage
from experiments.data.sources import read_source
from experiments.data.splits import Split, ignore, open_data
from experiments.host.events import Message, RunFailed
from experiments.host.log import Log
from experiments.loading.views import Evaluated
from roadmap.edit import replace
from roadmap.errors import Problem
from steps.recipes.load import load_recipe
from tests.experiments.data.annotated import write_coco
from tests.experiments.data.made import pictures


def split_of(arrays):
    return Split(
        image=lambda index: Image.fromarray(arrays[index]),
        labels=numpy.arange(len(arrays)),
        arrays=arrays,
    )


def test_images_of_every_kind_are_opened_or_named(images, tmp_path):
    root = tmp_path / "kinds"
    shutil.copytree(images, root)
    deep = numpy.full((8, 8), 30000, dtype=numpy.uint16)
    Image.fromarray(deep).save(root / "train/a/deep.png")
    Image.new("1", (16000, 16000)).save(root / "train/b/bomb.png")
    Image.new("F", (8, 8)).save(root / "train/c/fractions.tif")
    Image.new("P", (8, 8)).save(root / "train/c/palette.png")
    faint = numpy.full((8, 8), 200, dtype=numpy.int32)  # of 32 bits: black if cut to 8
    Image.fromarray(faint).save(root / "train/c/wide.tif")
    data = open_data(read_source(str(root)), tmp_path)
    faults = [fault for i in range(len(data.train)) if (fault := fault_of(data.train, i))]
    named = ("bomb.png", "fractions.tif", "wide.tif")
    assert [name in fault for name, fault in zip(named, faults, strict=True)] == [True] * 3
    assert "save it with 8 or 16, unsigned" in faults[2]
    files = [file.name for file, _ in data.source.samples["train"]]
    image = data.train.image(files.index("train/a/deep.png"))
    assert image.getpixel((0, 0)) == (117, 117, 117)


@pytest.mark.parametrize("kind", ["classes", "objects"])
def test_skipping_every_training_image_is_refused(images, tmp_path, kind):
    root = tmp_path / "set"
    if kind == "classes":
        shutil.copytree(images, root)
    else:
        write_coco(root)
    for image in root.glob("train*/**/*.*g"):
        image.write_bytes(b"no image")
    count = 36 if kind == "classes" else 2
    expected = f"none of the {count} training images of data set can be opened; the first: image .*"
    with pytest.raises(Problem, match=f"^--broken skip: {expected}cannot be read"):
        without_broken(open_data(read_source(str(root))), ignore)


def test_channel_statistics_are_those_of_all_pixels():
    arrays = pictures(9)
    flat = numpy.concatenate([each.reshape(-1, 3) for each in arrays]) / 255
    found = split_of(arrays).statistics()
    assert found.mean == pytest.approx(flat.mean(0), abs=1e-4)
    assert found.std == pytest.approx(flat.std(0), abs=1e-4)
    recipe = replace(load_recipe("imagenet-old"), image_size=40, evaluation_crop=1.0)
    views = Evaluated(split_of(arrays), recipe, found, hold=False)
    batch = views[list(range(9))][0]
    assert batch.mean((0, 2, 3)).abs().max() < 0.2 and abs(batch.std() - 1) < 0.2


def test_a_log_takes_names_of_files_that_are_no_text(tmp_path):
    """A broken image in such a file is named, not a second fault."""
    log, fault = Log(tmp_path / "log.txt"), BrokenImage("image br\udcff.png cannot be read")
    log(Message(run="run", text="left out: br\udcff.png"))
    log(RunFailed(run="run", reason=str(fault), error=fault))
    text = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "left out: br\\udcff.png" in text and "cannot be read" in text


POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
showpage
"""


@pytest.fixture
def ghostscript(tmp_path, monkeypatch):
    """Put a program `gs` on the path that leaves a file; Pillow looks for it on first use."""
    folder, called = tmp_path / "programs", tmp_path / "called"
    folder.mkdir()
    (folder / "gs").write_text(f"#!/bin/sh\ntouch {called}\n")
    (folder / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    return called


def test_postscript_named_jpg_starts_nothing(images, tmp_path, ghostscript):
    root = tmp_path / "posing"
    shutil.copytree(images, root)
    (root / "train/a/posing.jpg").write_bytes(POSTSCRIPT)
    with pytest.raises(OSError), Image.open(root / "train/a/posing.jpg") as image:
        image.load()
    assert ghostscript.exists()  # without a list of formats Pillow starts it
    ghostscript.unlink()
    data = open_data(read_source(str(root)))
    (fault,) = broken_images(data, lambda done, total: None)
    assert "posing.jpg cannot be read: its format is none of JPEG, PNG" in fault
    assert not ghostscript.exists()


def test_formats_count_not_endings(images, tmp_path):
    root = tmp_path / "renamed"
    shutil.copytree(images, root)
    (root / "train/a/0.png").rename(root / "train/a/0.jpg")
    data = open_data(read_source(str(root)))
    assert data.train.image(0).size == (32, 32)
