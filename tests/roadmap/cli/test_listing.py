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


@pytest.mark.parametrize(
    ("settings", "row", "line"),
    [
        (["network.stages.all.block.units.0.branches.0.kernel=5"], "07", "5×5 depthwise on 1/8"),
        (
            ["recipe.optimizer=lion", "recipe.optimizer_options={betas: [0.8, 0.9]}"],
            "00",
            "recipe.optimizer_options: {betas: [0.8, 0.9]}",
        ),
        (["network.head_dropout=0.3"], "00", "dropout 0.3"),
        (["network.stages.1.stride=1"], "00", "strides: 1, 1, 2, 2"),
    ],
)
def test_new_fields_can_be_set(capsys, settings, row, line):
    given = [part for setting in settings for part in ("--set", setting)]
    assert main(["show", row, "--roadmap", "inceptionnext", *given]) == 0
    assert line in " ".join(capsys.readouterr().out.split())


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


def test_a_row_shows_what_its_paper_prints_as_printed(capsys):
    assert main(["show", "07", "--roadmap", "inceptionnext"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "The paper's: 82.3 % top-1 on ImageNet-1K (+1.5 from row 06), 4.2 GMACs" in text
    assert "2900 A100 fp32 inference images/s." in text
    assert main(["show", "05"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "The paper's: 80.50 % top-1 on ImageNet-1K (+2.22 from row 04), 5.27 GFLOPs." in text


@pytest.mark.parametrize(
    ("roadmap", "words"),
    [
        ("resnet50", "from printed means and standard deviations"),
        ("inceptionnext", "n = 1 decides no step"),
        ("robust-cnn", "is a family: no row starts from another"),
    ],
)
def test_verdicts_on_each_papers_table(capsys, roadmap, words):
    assert main(["verdicts", "paper", "--roadmap", roadmap]) == 0
    captured = capsys.readouterr()
    assert words in captured.out + captured.err


@pytest.mark.slow
def test_a_row_of_a_scale_trains(tmp_path, capsys):
    few = ["--set", "recipe.epochs=1", "--set", "recipe.image_size=32", "--threads", "1"]
    source = ["--roadmap", "convnext-v2", "--scale", "tiny", "--runs", str(tmp_path / "runs")]
    assert main(["train", "atto_v2", *source, *few]) == 0
    assert "V2-atto" in capsys.readouterr().out
