"""`roadmap cost` and `show` with a recipe of detection or segmentation."""

import json

import pytest

from roadmap.cli.main import main
from roadmap.heads import task_cost
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap


def answer(capsys, *arguments):
    assert main([*arguments]) == 0
    return capsys.readouterr().out


def test_the_cost_of_the_papers_mask_rcnn(capsys):
    given = ("cost", "--roadmap", "resnet50", "--recipe", "coco-mask-rcnn-3x", "--classes", "80")
    text = answer(capsys, *given)
    assert "cost of one image of 800 × 1280 pixels" in text
    assert "detection with mask_rcnn" in text
    assert "box head counts 1,000 regions, the mask head 100 regions" in text
    line = next(line for line in text.splitlines() if line.startswith("13 "))
    assert line.split()[-4:] == ["261.93", "171.01", "48,099,733", "20,278,261"]
    assert max(map(len, text.splitlines())) <= 80
    rows = json.loads(answer(capsys, *given, "--json"))
    last = rows[-1]
    assert (last["task"], last["size"], last["matches_paper"]) == ("detection", [800, 1280], None)
    for key in ("macs", "params", "activations"):
        assert last[key] == last["backbone"][key] + last["head"][key]


def test_another_size(capsys):
    given = ("cost", "--recipe", "tiny-segmentation", "--image-size", "64", "--json")
    first = json.loads(answer(capsys, *given))[0]
    spec = load_roadmap("tiny")["00"].spec
    recipe = load_recipe("tiny-segmentation")
    found = task_cost(type(spec)(network=spec.network, recipe=recipe), 64)
    assert (first["size"], first["macs"]) == ([64, 64], found.macs)


def test_a_row_is_shown_with_its_head(capsys):
    text = answer(capsys, "show", "05", "--recipe", "tiny-detection")
    assert "Cost of one image of 96 × 96 pixels with the head, 20 classes:" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--roadmap", "convnext-family", "--recipe", "tiny-detection"],
         "row 09 (isotropic_small): this network lacks a pyramid of features for detection"),
        (["--roadmap", "small", "--recipe", "tiny-segmentation", "--set",
          "recipe.task.segmentation=fpn"],
         "'fpn' needs 4 stages; this network has 3. Use 'upernet'"),
        (["--recipe", "tiny-detection", "--set", "recipe.task.anchors=[16, 32]"],
         "anchors [16, 32] are fewer than the 4 stages of this network"),
        (["--recipe", "tiny-detection", "--set", "recipe.task.pyramids=4"],
         "did you mean 'pyramid'?"),
        (["--task", "detection", "--recipe", "tiny-old"],
         "to be trained for detection, but row 00 (resnet) is for classification; leave out --task"
         ", or give a recipe for detection, as in --recipe tiny-detection"),
        (["--task", "segmentation", "--recipe", "tiny-detection"],
         "to be trained for segmentation, but row 00 (resnet) is for detection"),
        (["--task", "detection", "--set", "recipe.task=null"],
         "to be trained for detection, but row 00 (resnet) is for classification"),
        (["--task", "classification", "--recipe", "tiny-detection"],
         "to be trained for classification, but row 00 (resnet) is for detection"),
        (["--task", "detection", "--roadmap", "convnext-v2"],
         "'convnext-v2' has no recipe for detection (its rows are trained for classification); "
         "--recipe NAME trains them by one, as in --recipe tiny-detection"),
        (["--task", "detection", "--roadmap", "tiny:segmentation"],
         "--roadmap tiny:segmentation and --task detection name two tasks; give one"),
    ],
)  # fmt: skip
def test_a_task_that_does_not_fit(capsys, arguments, words):
    assert main(["cost", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error.replace("\n", " ") and error.count("\n") <= 4


@pytest.mark.parametrize(
    "given",
    [
        ["--roadmap", "tiny:detection", "--task", "detection"],
        ["--roadmap", "convnext-v2", "--task", "detection", "--recipe", "tiny-detection"],
    ],
)
def test_a_task_that_is_named_twice_or_comes_with_its_recipe(capsys, given):
    rows = json.loads(answer(capsys, "cost", *given, "--json"))
    assert {row["task"] for row in rows} == {"detection"}


def test_a_choice_that_a_task_does_not_use_is_told(capsys, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "base: {roadmap: tiny, row: '01'}\nchoose: {recipe.mixup: [0.1, 0.2]}\n"
        "tasks: {detection: {recipe: tiny-detection}}\nrows: []\n"
    )
    assert main(["cost", "--roadmap", str(tmp_path / "mine.yaml"), "--task", "detection"]) == 0
    said = "choose: recipe.mixup has no effect in these rows; each is trained once"
    assert said in capsys.readouterr().err.replace("\n", " ")
