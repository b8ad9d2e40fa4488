"""The shipped recipes against the paper's, constant by constant."""

import re
import shlex
from itertools import product
from pathlib import Path

import pytest

from roadmap.cli.options import make_parser
from roadmap.errors import Problem
from steps.recipes.load import load_recipe

ROOT = Path(__file__).parents[3]
WHOLE = (
    "epochs: 3\nimage_size: 32\nbatch: 8\noptimizer: sgd\nlearning_rate: 1e-3\nbase_batch: 8\n"
    "weight_decay: 0\nschedule: cosine\ninterpolation: bilinear\n"
)
OLD = {
    "epochs": 90, "image_size": 224, "batch": 256, "optimizer": "sgd", "learning_rate": 0.1,
    "base_batch": 256, "momentum": 0.9, "weight_decay": 1e-4, "decay_norms_and_biases": True,
    "schedule": "step", "step_epochs": 30, "step_factor": 0.1, "warmup_epochs": 0,
    "label_smoothing": 0, "mixup": 0, "cutmix": 0, "randaugment": None, "erasing": 0,
    "crop_scale": (0.08, 1.0), "flip": 0.5, "interpolation": "bilinear", "evaluation_crop": 0.875,
}  # fmt: skip
ENHANCED = {
    "epochs": 300, "image_size": 224, "batch": 4096, "optimizer": "adamw", "learning_rate": 4e-3,
    "base_batch": 4096, "betas": (0.9, 0.999), "weight_decay": 0.05,
    "decay_norms_and_biases": False, "schedule": "cosine", "warmup_epochs": 20,
    "final_learning_rate": 1e-6, "label_smoothing": 0.1, "mixup": 0.8, "cutmix": 1.0,
    "mixup_switch": 0.5, "randaugment": "rand-m9-mstd0.5-inc1", "erasing": 0.25,
    "crop_scale": (0.08, 1.0), "flip": 0.5, "interpolation": "bicubic",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "table"), [("imagenet-old", OLD), ("imagenet-enhanced", ENHANCED)]
)
def test_constants_are_the_papers(name, table):
    recipe = load_recipe(name)
    assert {key: getattr(recipe, key) for key in table} == table


def test_the_small_pairs_have_every_part_of_the_papers():
    for tiny, full in product(("tiny", "small", "cifar"), ("old", "enhanced")):
        tiny, full = f"{tiny}-{full}", f"imagenet-{full}"
        small, large = load_recipe(tiny), load_recipe(full)
        for part in ("optimizer", "schedule", "interpolation", "decay_norms_and_biases", "flip"):
            assert getattr(small, part) == getattr(large, part)
        for part in (
            "mixup",
            "cutmix",
            "randaugment",
            "erasing",
            "label_smoothing",
            "warmup_epochs",
        ):
            assert bool(getattr(small, part)) == bool(getattr(large, part)), part


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: 3\nepoch: 4\n", "mine.yaml:2: unknown key 'epoch'; did you mean 'epochs'"),
        ("epochs: three\n", "mine.yaml:1: epochs: .*valid integer"),
        ("epochs: 3\nbatch: 8\nepochs: 4\n", "mine.yaml:3: key 'epochs' is given twice"),
        (WHOLE + "erasing: 2\n", "mine.yaml:10: erasing: .*less than or equal to 1"),
        (WHOLE + "mixup: yes\n", "mine.yaml:10: mixup: .*valid number"),
        (WHOLE + "crop_scale: null\n", "mine.yaml:10: crop_scale null"),
        (WHOLE + "warmup_epochs: 3\n", "mine.yaml:10: warmup_epochs 3 must be below epochs 3"),
        (WHOLE.replace("batch: 8", "batch: 9", 1) + "mixup: 0.2\n", "mine.yaml:3: batch 9 must be"),
        (WHOLE + "betas: [0.9, 0.99]\n", "mine.yaml:10: betas has no effect: optimizer is 'sgd'"),
        (WHOLE + "step_factor: 0.5\n", "mine.yaml:10: step_factor has no effect: schedule is 'cos"),
        (WHOLE, None),
    ],
)
def test_a_recipe_that_does_not_fit_is_named_with_file_and_line(text, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    if message is None:
        assert load_recipe(tmp_path / "mine.yaml").learning_rate == 0.001
        return
    with pytest.raises(Problem, match=message):
        load_recipe(tmp_path / "mine.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "steps" / "recipes").glob("*.yaml")))
def test_each_recipe_opens_with_what_it_reproduces(path):
    head = "".join(line for line in path.read_text().splitlines(True) if line.startswith("#"))
    for part in ("# Reproduces:", "# Command:", "# Hours:", "# Expected:"):
        assert part in head
    command = re.search(r"# Command: +(roadmap .*)", head)[1]
    command = command.replace("IMAGENET", "fractals").replace("torch/cifar10", "fractals")
    make_parser().parse_args(shlex.split(command)[1:])
