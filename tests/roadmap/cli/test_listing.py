"""`roadmap list` and `--scale`."""

import json

import pytest

from roadmap.cli.main import main
from steps.roadmaps.load import SHIPPED


def test_all_shipped_things_are_listed(capsys):
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    found = {one["name"]: one for one in listed["roadmaps"]}
    assert tuple(found) == SHIPPED
    assert (found["resnet50"]["met"], found["resnet50"]["not_met"]) == (15, ["12", "13"])
    assert found["tiny"]["paper"] and not found["tiny"]["own_paper"]
    assert found["inceptionnext"]["in_timm"] == 2
    assert "fair" in listed["studies"] and "imagenet-old" in listed["recipes"]
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert "15 of 17 printed costs met, not 12, 13" in text and "scales (--scale NAME)" in text


def test_a_scale_is_an_option_and_part_of_a_name(capsys):
    assert main(["cost", "--json", "--roadmap", "inceptionnext", "--scale", "tiny"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[-1]["step"] == "inception_mixer" and rows[-1]["gmacs"] < 0.01
    assert main(["cost", "--json", "--roadmap", "inceptionnext@tiny"]) == 0
    assert json.loads(capsys.readouterr().out) == rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scale", "tiny"], "--scale is for a roadmap: add --roadmap NAME"),
        (["--roadmap", "resnet50", "--scale", "huge"], "unknown scale 'huge'"),
    ],
)
def test_wrong_scales_are_said(capsys, arguments, message):
    assert main(["cost", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_row_of_a_scale_trains(tmp_path, capsys):
    few = ["--set", "recipe.epochs=1", "--set", "recipe.image_size=32", "--threads", "1"]
    source = ["--roadmap", "convnext-v2", "--scale", "tiny", "--runs", str(tmp_path / "runs")]
    assert main(["train", "atto_v2", *source, *few]) == 0
    assert "V2-atto" in capsys.readouterr().out
