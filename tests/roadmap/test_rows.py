"""Roadmaps as values: the task and the choice that are asked of their rows."""

import pytest

from roadmap.choice import Choice
from roadmap.errors import Problem
from steps.config import Config
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

MINE = """
base: {depths: [2, 2, 2, 2], width: 16}
recipe: tiny-detection
data: fractal-scenes
classes: 8
rows:
  - patchify_stem:
"""


@pytest.fixture
def mine(tmp_path):
    """A roadmap whose own recipe is for detection."""
    (tmp_path / "mine.yaml").write_text(MINE)
    return str(tmp_path / "mine.yaml")


def test_the_rows_own_task_may_be_asked_for(mine):
    asked, plain = load_roadmap(f"{mine}:detection"), load_roadmap(mine)
    assert (asked.name, asked.data) == ("mine", "fractal-scenes")
    assert [row.spec for row in asked] == [row.spec for row in plain]
    assert load_roadmap("tiny:classification")["13"] == load_roadmap("tiny")["13"]


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_another_task_without_a_recipe_is_refused(mine, task):
    expected = f"'mine' has no recipe for {task} .its rows are trained for detection.; --recipe"
    with pytest.raises(Problem, match=expected):
        load_roadmap(f"{mine}:{task}")


def test_a_recipe_of_the_task_trains_a_roadmap_that_has_none():
    recipe = load_recipe("tiny-detection")
    roadmap = load_roadmap("convnext-v2:detection", recipe=recipe)
    assert {row.spec.recipe for row in roadmap} == {recipe}
    assert roadmap.name == "convnext-v2:detection"
    with pytest.raises(Problem, match="'small' is to be trained for detection, but the recipe is"):
        load_roadmap("small:detection", recipe=load_recipe("tiny-old"))


WRONG = [
    {"recipe.task": None},
    {"recipe.task": {"segmentation": "fpn", "channels": 32}},
    {"recipe": {"epochs": 1, "image_size": 32, "batch": 8, "optimizer": "sgd",
                "learning_rate": 0.1, "base_batch": 8, "weight_decay": 0, "schedule": "cosine",
                "interpolation": "bilinear"}},
]  # fmt: skip


@pytest.mark.parametrize("settings", WRONG)
def test_settings_of_another_task_are_refused(settings, mine, tmp_path):
    for name in ("tiny:detection", f"{mine}:detection"):
        with pytest.raises(Problem, match="is to be trained for detection, but row 00 .resnet. is"):
            _ = Config(roadmap=name, overrides=settings).roadmap
        with pytest.raises(Problem, match="is to be trained for detection, but row 00 .resnet. is"):
            load_study("path", roadmap=name, overrides=settings)
    with pytest.raises(Problem, match="to be trained for classification, but row 00 .* segmentati"):
        load_roadmap("tiny:classification").overridden(WRONG[1])
    assert load_roadmap("tiny").overridden(WRONG[1])["00"].spec.recipe.task_name == "segmentation"


def test_a_choice_stays_with_a_task_that_uses_its_field(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "base: {roadmap: small, row: '03'}\n"
        "choose: {recipe.learning_rate: [x0.5, x1]}\n"
        "tasks: {segmentation: {recipe: tiny-segmentation, data: fractal-scenes}}\nrows: []\n"
    )
    roadmap = load_roadmap(f"{tmp_path}/mine.yaml:segmentation")
    assert roadmap.trials("00") == ("00@0.005", "00@0.01")
    assert roadmap.unused_choice is None


def test_a_choice_without_effect_ends():
    tiny = load_roadmap("tiny").choosing(Choice(field="recipe.mixup", values=(0.1, 0.2)))
    assert len(tiny.trials("01")) == 2
    for changed in (tiny.for_task("detection"), tiny.overridden(WRONG[1])):
        assert (changed.choose, changed.unused_choice) == (None, "recipe.mixup")
        assert changed.trials("01") == ("01",)
    assert tiny.overridden({"recipe.mixup": 0.3}).unused_choice is None
