"""`roadmap predict --out`: the files of drawn images, and one that cannot be written."""

import errno
from types import SimpleNamespace

import numpy
import pytest
from PIL import Image

from experiments.deploy import finished, found, scenes
from experiments.deploy.found import drawn_paths
from roadmap.cli.console import FAILED
from roadmap.cli.deploy import _predict_scenes

NAMES = ("ground", "cat")
LONG = "é" * 120  # 240 bytes


@pytest.fixture
def seen(monkeypatch):
    """A finished segmenter that sees class 1 in the half of every image."""
    recipe = SimpleNamespace(task_name="segmentation")
    run = SimpleNamespace(spec=SimpleNamespace(recipe=recipe), class_names=NAMES)
    label_map = numpy.repeat(numpy.arange(2, dtype=numpy.uint8), 8)[None].repeat(16, axis=0)
    image = Image.new("RGB", (16, 16))

    def predicted(run, files):
        return (scenes.Scene(path=str(file), image=image, found=label_map) for file in files)

    monkeypatch.setattr(finished, "open_finished", lambda request: run)
    monkeypatch.setattr(scenes, "predict_scenes", predicted)


def test_long_names_are_cut_and_stay_distinct(tmp_path):
    paths = drawn_paths([f"{LONG}1.png", f"{LONG}2.png", "a.png"], tmp_path, "detection")
    assert [path.name for path in paths] == [
        f"{'é' * 100}-objects.png", f"{'é' * 100}-2-objects.png", "a-objects.png",
    ]  # fmt: skip


def test_an_image_with_a_long_name_is_drawn(seen, tmp_path, capsys):
    assert _predict_scenes(None, [f"{LONG}.png", "a.png"], tmp_path / "out", "csv") == 0
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert len(capsys.readouterr().out.splitlines()) == 5  # two classes of two images


def test_a_drawing_that_cannot_be_written_stops_no_other_image(seen, tmp_path, capsys):
    (tmp_path / "a-regions.png").mkdir()
    assert _predict_scenes(None, ["a.png", "b.png"], tmp_path, "csv") == FAILED
    said = capsys.readouterr()
    assert f"not drawn: a.png: {tmp_path}/a-regions.png: Is a directory" in said.err
    assert (tmp_path / "b-regions.png").is_file()
    assert [line[:5] for line in said.out.splitlines()[1:]] == ["a.png"] * 2 + ["b.png"] * 2


def test_a_full_disk_stops_and_what_was_seen_is_printed(seen, tmp_path, capsys, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(found, "put_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        _predict_scenes(None, ["a.png", "b.png"], tmp_path, "csv")
    assert [line[:5] for line in capsys.readouterr().out.splitlines()[1:]] == ["a.png"] * 2
