"""The recipes for fine-tuning: each constant of the paper's table 6."""

import pytest

from roadmap.spec import Recipe, to_dict
from steps.config import Config
from steps.recipes.load import load_recipe

TABLE_6 = {
    "optimizer": "adamw", "learning_rate": 5e-5, "weight_decay": 1e-8, "betas": (0.9, 0.999),
    "batch": 512, "base_batch": 512, "epochs": 30, "schedule": "cosine", "warmup_epochs": 0,
    "mixup": 0, "cutmix": 0, "randaugment": "rand-m9-mstd0.5-inc1", "label_smoothing": 0.1,
    "erasing": 0.25, "head_init_scale": 0.001, "ema": 0, "final_learning_rate": 1e-6,
    "interpolation": "bicubic", "statistics": "imagenet", "crop_scale": (0.08, 1.0), "flip": 0.5,
    "decay_norms_and_biases": False, "freeze": (),
}  # fmt: skip
COLUMNS = {
    "finetune-imagenet-1k": {"layer_decay": 0.7, "image_size": 384, "evaluation_crop": 1.0},
    "finetune-imagenet-22k": {"layer_decay": 0.8, "image_size": 224, "evaluation_crop": 0.875},
}
IDLE = {"momentum", "step_epochs", "step_factor", "mixup_switch"}  # without effect here


@pytest.mark.parametrize("name", COLUMNS)
def test_constants_of_table_6(name):
    recipe, expected = load_recipe(name), TABLE_6 | COLUMNS[name]
    assert {field: getattr(recipe, field) for field in expected} == expected
    others = {field for field in vars(recipe) if field not in expected} - IDLE
    defaults = Recipe.__dataclass_fields__
    assert {field: getattr(recipe, field) for field in others} == {
        field: defaults[field].default for field in others
    }


def test_a_whole_recipe_holds_for_every_row_and_fields_are_set_after_it():
    whole = {"recipe": to_dict(load_recipe("finetune-photos")), "recipe.epochs": 4}
    rows = Config(roadmap="tiny", overrides=whole).roadmap
    assert {row.spec.recipe.epochs for row in rows} == {4}
    assert len({row.spec.recipe_fingerprint for row in rows}) == 1
    assert rows["13"].spec.network == Config(roadmap="tiny").roadmap["13"].spec.network


def test_a_sweep_varies_a_field_of_a_whole_recipe():
    whole = {"recipe": to_dict(load_recipe("finetune-photos"))}
    study = Config(study="learning-rate", overrides=whole).study
    rates = {row.spec.recipe.learning_rate for row in study.roadmap}
    assert len(rates) > 1 and {row.spec.recipe.layer_decay for row in study.roadmap} == {0.8}
    ablation = Config(study="leave-one-out", overrides=whole).study
    assert {row.spec.recipe.epochs for row in ablation.roadmap} == {30}
