"""The schedules of detection and segmentation: the exact rate of steps where it changes."""

import pytest
import torch

from experiments.tasks.optimizer import make_schedule
from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.override import override, scaled_with_epochs
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap


def rates(recipe, steps_per_epoch, steps):
    """The rates of these optimizer steps, counted from 0."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=recipe.learning_rate)
    schedule = make_schedule(optimizer, recipe, steps_per_epoch)
    found = []
    for step in steps:
        schedule.step_update(step)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_milestones_count_from_the_start_and_hold_from_their_first_step():
    recipe = load_recipe("coco-mask-rcnn-3x")
    epoch = 7330
    steps = [0, 250, 500, 27 * epoch - 1, 27 * epoch, 33 * epoch - 1, 33 * epoch, 36 * epoch - 1]
    expected = [0, 0.5e-4, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6]
    assert rates(recipe, epoch, steps) == pytest.approx(expected, rel=1e-9)


def test_a_milestone_within_an_epoch():
    recipe = replace(load_recipe("coco-mask-rcnn-1x"), milestones=(0.5,), warmup_epochs=0.0)
    assert rates(recipe, 10, [4, 5]) == pytest.approx([1e-4, 1e-5])


def test_poly_falls_in_a_straight_line_to_the_end():
    recipe = load_recipe("ade20k-upernet")
    epoch, total = 1263, 127 * 1263
    steps = [0, 750, 1500, 1500 + (total - 1500) // 2, total - 1]
    expected = [0, 0.5e-4, 1e-4, 0.5e-4, 1e-4 / (total - 1500)]
    assert rates(recipe, epoch, steps) == pytest.approx(expected, rel=1e-4)


def test_poly_with_a_power_and_an_end():
    recipe = replace(
        load_recipe("ade20k-upernet"),
        epochs=2, warmup_epochs=0.0, power=2.0, final_learning_rate=2e-5, learning_rate=1e-4,
    )  # fmt: skip
    expected = [2e-5 + 8e-5 * (1 - step / 20) ** 2 for step in range(20)]
    assert rates(recipe, 10, range(20)) == pytest.approx(expected)


def test_milestones_scale_with_the_epochs():
    spec = replace(load_roadmap("tiny")["13"].spec, recipe=load_recipe("coco-mask-rcnn-1x"))
    recipe = override(spec, {"recipe.epochs": 3}).recipe
    assert recipe.milestones == (2.0, 2.75)
    said = scaled_with_epochs([spec], {"recipe.epochs": 3})
    assert "milestones [8, 11] → [2, 2.75]" in said and "step_epochs" not in said
    with pytest.raises(Problem, match=r"milestones \[2.0, 13.0\] must be below epochs 12"):
        override(spec, {"recipe.milestones": [2, 13]})
