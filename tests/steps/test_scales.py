"""Scales: a small version of every shipped roadmap builds, trains a step and keeps its steps."""

import pytest
import torch

from experiments.tasks.optimizer import make_optimizer
from roadmap.cost import cost
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.scale import SCALES
from steps.roadmaps.load import SHIPPED, load_roadmap
from steps.studies.load import load_study

FULL = [name for name in SHIPPED if name not in ("tiny", "small", "cifar")]


@pytest.mark.parametrize("name", FULL)
def test_a_small_version_of_every_roadmap_trains_a_step(name):
    path = load_roadmap(f"{name}@tiny")
    assert (path.name, path.data) == (f"{name}@tiny", "fractals")
    for row in path:
        assert cost(row.spec.network, row.spec.recipe.image_size).gmacs < 0.12, row.number
    spec = path.rows[-1].spec
    torch.manual_seed(0)
    network = build(spec.network).train()
    optimizer = make_optimizer(network, spec.recipe)
    size = spec.recipe.image_size
    images, labels = torch.randn(8, 3, size, size), torch.arange(8)
    losses = []
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(map(torch.isfinite, map(torch.tensor, losses))) and losses[-1] != losses[0]


def test_a_scale_keeps_what_each_step_does():
    full, small = load_roadmap("resnet50"), load_roadmap("resnet50@tiny")
    assert [row.number for row in small] == [row.number for row in full]
    widths = {row.number: row.spec.network.stages[0].width for row in small}
    assert (widths["00"], widths["05"]) == (16, 24)
    assert [stage.depth for stage in small["13"].spec.network.stages] == [2, 2, 6, 2]
    assert small["08"].spec.network.stages[0].block == full["08"].spec.network.stages[0].block
    assert small["13"].spec.recipe.epochs == 5 and small["13"].spec.recipe.mixup == 0.1
    assert small.full.paper_path is not None and small["05"].before is small["04"]


def test_a_study_of_a_scale_composes_steps_at_full_size():
    study = load_study("leave-one-out", roadmap="resnet50@tiny")
    ends = {row.spec.network.stages[0].width for row in study.roadmap}
    assert ends == {16, 24}  # without the step `width`, and with it


def test_wrong_scales():
    with pytest.raises(Problem, match="unknown scale 'tini'; did you mean 'tiny'"):
        load_roadmap("resnet50@tini")
    assert set(SCALES) == {"tiny", "cifar"}
