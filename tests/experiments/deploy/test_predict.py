"""Predictions of a finished run: the classes and probabilities of images."""

import base64
import csv
import io
import json
from pathlib import Path

import numpy
import pytest
from PIL import Image

from experiments.deploy.images import find_images
from experiments.deploy.predict import Predictions, predict, render
from roadmap.cli.main import main
from roadmap.errors import Problem
from tests.experiments.deploy.conftest import SHORT


@pytest.mark.slow
def test_predictions_are_those_that_were_validated(finished, images):
    request = finished("05")
    answer = predict(request, find_images([images / "val"]))
    assert len(answer.paths) == 15 and answer.class_names == ("a", "b", "c")
    numpy.testing.assert_allclose(answer.probabilities.sum(1), 1, rtol=1e-5)
    rows = list(csv.reader(io.StringIO(render(answer, "csv"))))
    assert rows[0] == ["image", "class", "probability", "a", "b", "c"]
    right = [row[1] == Path(row[0]).parent.name for row in rows[1:]]
    record = request.finished()
    bits = numpy.unpackbits(numpy.frombuffer(base64.b64decode(record.correct), dtype=numpy.uint8))
    assert right == [bool(bit) for bit in bits[:15]]
    data = json.loads(render(answer, "json"))
    assert [each["class"] for each in data] == [row[1] for row in rows[1:]]
    assert data[0]["probability"] == max(data[0]["probabilities"].values())


def test_images_are_found_and_wrong_paths_named(tmp_path):
    for name in ("b.png", "a.jpg", "deep/c.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [Path(file.name).name for file in find_images([tmp_path, tmp_path / "b.png"])]
    assert found == ["a.jpg", "b.png", "c.webp", "b.png"]
    (tmp_path / "empty").mkdir()
    for path, said in (("none.png", "does not exist"), ("empty", "has no images")):
        with pytest.raises(Problem, match=said):
            find_images([tmp_path / path])


@pytest.mark.slow
def test_the_command_names_broken_images_and_classifies_the_others(
    finished, images, tmp_path, capsys
):
    request = finished("05")
    Image.new("L", (40, 30), 128).save(tmp_path / "grey.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    given = [f"--set={key}={value}" for key, value in SHORT.items()]
    given += ["--data", str(images), "--runs", str(request.settings.runs)]

    def roadmap(*arguments):
        code = main([*arguments, *given])
        return code, *capsys.readouterr()

    code, text, errors = roadmap("predict", "05", str(tmp_path), "--format", "json")
    assert code == 1 and "not classified:" in errors
    assert "broken.png" in errors and errors.count("\n") == 1
    (row,) = json.loads(text)
    assert row["image"].endswith("grey.png") and row["class"] in "abc"
    for arguments, said in (
        (["predict", "05", "nowhere.png"], "nowhere.png does not exist"),
        (["predict", "06", str(tmp_path)], "`roadmap train 06`"),
        (["predict", "05", str(tmp_path), "--format", "xml"], "valid: csv, json"),
        (["export", "05", "--out", "x.pth"], "no format has this ending"),
        (["export", "05", "--timm", "--format", "onnx", "--out", "x"], "give one"),
    ):
        code, _, errors = roadmap(*arguments)
        assert code == 2 and said in errors, errors


def test_class_names_and_paths_send_no_commands_to_the_terminal():
    answer = Predictions(
        class_names=("\x1b[31mred", "new\nline"),
        paths=("a\x1b\u202e.png",),
        probabilities=numpy.array([[0.75, 0.25]], dtype=numpy.float32),
        broken=(),
    )
    text = render(answer, "csv")
    assert text.count("\n") <= 2 and "\x1b" not in text and "\\x1b[31mred" in text
    assert "a\\x1b\\u202e.png" in text
    text = render(answer, "json")  # of which a program gets the path as it is
    assert "\x1b" not in text and "\u202e" not in text
    assert json.loads(text)[0]["image"] == "a\x1b\u202e.png"
