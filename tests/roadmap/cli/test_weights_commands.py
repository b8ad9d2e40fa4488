"""The commands of a user who starts from weights: run, table, verdicts, predict, export."""

import json

import pytest
import timm
import torch

from roadmap.cli.main import main


@pytest.fixture
def roadmap(photos, tmp_path, monkeypatch, capsys):
    """Run a command next to a file of weights; return its code, output and errors."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    model = timm.create_model("convnext_tiny", depths=(2, 2, 6, 2), dims=(24, 48, 96, 192))
    torch.save({"model": model.state_dict()}, "convnext.pth")
    given = ["--data", str(photos), "--recipe", "finetune-photos", "--set", "recipe.epochs=1",
             "--set", "recipe.image_size=32", "--set", "recipe.batch=8"]  # fmt: skip

    def run(*arguments):
        code = main([*arguments, *given])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def photos(tmp_path_factory):
    """Two classes of flat images: 8 for training and 4 for val."""
    import numpy
    from PIL import Image

    root = tmp_path_factory.mktemp("photos")
    for split, count in (("train", 8), ("val", 4)):
        for name, level in (("dark", 40), ("light", 200)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = numpy.full((32, 32, 3), level + number, dtype=numpy.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return root


@pytest.mark.slow
def test_from_weights_to_a_prediction(roadmap, photos):
    weights = ["--weights", "convnext.pth"]
    small = ["--threads", "1", "--workers", "0", "--jobs", "1"]
    code, _, errors = roadmap("run", "--rows", "01,13", *weights, *small)
    assert code == 2
    assert "row 01 shares no convolution with weights convnext.pth" in errors
    assert "--if-nothing-fits scratch trains it" in errors and "--rows 13 trains" in errors
    assert not list(photos.glob("../runs/*"))
    code, _, errors = roadmap("plan", "path", *weights)
    assert code == 2 and "share no convolution with weights convnext.pth" in errors
    weights += ["--if-nothing-fits", "scratch"]
    code, text, errors = roadmap("run", "--rows", "01,13", *weights, *small)
    assert code == 0, errors
    assert "started from weights convnext.pth (" in text
    assert "trained from random weights, not from these: 01" in text
    assert "from weights convnext.pth (" in errors and "new: head.classifier.weight" in errors
    code, text, _ = roadmap("table")
    assert "left out: 1 record started from weights convnext.pth" in " ".join(text.split())
    code, text, _ = roadmap("verdicts", *weights)
    assert code == 0 and "started from weights convnext.pth" in " ".join(text.split())
    code, text, _ = roadmap("predict", "13", str(photos / "val"), *weights, "--format", "json")
    assert code == 0 and {each["class"] for each in json.loads(text)} <= {"dark", "light"}
    code, text, _ = roadmap("export", "13", *weights, "--out", "hub", "--format", "hub")
    assert code == 0 and text.splitlines()[0] == "hub"
    network = timm.create_model("local-dir:hub", pretrained=True)
    assert network.pretrained_cfg["label_names"] == ["dark", "light"]


def test_options_that_need_weights_and_sources_that_are_none(roadmap, tmp_path):
    (tmp_path / "pointer.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    for arguments, said in (
        (["--use-ema"], "--use-ema needs --weights"),
        (["--if-nothing-fits", "scratch"], "--if-nothing-fits needs --weights"),
        (["--weights", "none.pth"], "roadmap: --weights none.pth does not exist; valid:"),
        (["--weights", "pointer.pth"], "is a Git LFS pointer"),
    ):
        code, _, errors = roadmap("train", "13", *arguments)
        assert code == 2 and said in errors, errors
