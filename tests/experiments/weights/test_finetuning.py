"""Layer-wise decay, freezing and their effect on a run's learning rates and weights."""

import pytest
import torch
from safetensors.torch import load_file

from experiments.tasks.classification import Classification
from experiments.tasks.optimizer import make_optimizer, make_schedule
from experiments.weights.freezing import freeze, frozen_norms
from experiments.weights.loading import in_words, of_backbone
from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.record import StartWeights
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap
from tests.experiments.weights.short import ONE, roadmap_row, trained


@pytest.mark.parametrize(("roadmap", "groups"), [("resnet50", 6), ("resnet200", 12)])
def test_layers_decay_as_in_the_papers_release(roadmap, groups):
    """6 groups of three blocks in T and 12 in B, then the stem below and the head above."""
    recipe = load_recipe("finetune-imagenet-22k")
    with torch.device("meta"):
        network = build(load_roadmap(roadmap)["13"].spec.network)
    optimizer = make_optimizer(network, recipe)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    scales = {
        names[id(parameter)]: (group["lr_scale"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert set(scales) == set(names.values())
    expected = {
        "head.classifier.weight": 0,
        "head.norm.weight": 0,
        "stages.3.blocks.2.branch.convolution_1.weight": 1,
        "stages.3.downsampling.convolution.weight": 1,
        "stages.2.blocks.8.branch.convolution_0.weight": groups - 4,
        "stages.2.downsampling.convolution.weight": groups - 2,
        "stages.1.blocks.0.branch.convolution_1.weight": groups - 1,
        "stages.0.blocks.2.branch.layer_scale.gamma": groups,
        "stem.convolution.weight": groups + 1,
    }
    for name, power in expected.items():
        assert scales[name][0] == pytest.approx(0.8**power), name
        decays = name.endswith("weight") and "norm" not in name
        assert scales[name][1] == (1e-8 if decays else 0), name


def test_the_schedule_scales_each_layer_and_reports_the_heads_rate():
    recipe = load_recipe("finetune-photos")
    network = build(roadmap_row("13").network)
    optimizer = make_optimizer(network, recipe)
    schedule = make_schedule(optimizer, recipe, 10)
    schedule.step_update(10)  # the end of the warm-up
    rates = {round(group["lr"] / group["lr_scale"], 12) for group in optimizer.param_groups}
    assert rates == {2e-4}
    task = Classification(network, recipe, classes=2, steps_per_epoch=10, seed=0)
    task.configure_optimizers()
    task.schedule.step_update(10)
    assert task.learning_rate == pytest.approx(2e-4)  # what records and messages show
    assert min(group["lr"] for group in optimizer.param_groups) < 1e-4


@pytest.mark.slow
def test_frozen_parts_and_their_statistics_stay(ask):
    first = ask("05")
    trained(first)
    asked = ask("05", first.folder, **{"recipe.freeze": ["stem", "stages.0", "norms"]})
    record = trained(asked)
    before, after = (load_file(run.folder / "weights.safetensors") for run in (first, asked))
    frozen = {name for name in before if name.startswith(("stem.", "stages.0.")) or ".norm" in name}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("running_mean" in name for name in frozen)
    assert not moved & frozen and moved == set(before) - frozen
    assert record.history[-1]["learning_rate"] > 0


def test_what_can_be_frozen(ask):
    network = build(roadmap_row("05").network)
    total = len(list(network.parameters()))
    assert freeze(network, ()) == 0
    assert freeze(network, ["features"]) == total - 2
    assert len(frozen_norms(network)) > 10
    for pattern, count in (("head", 2), ("stages.1.blocks.0", 12), ("*.convolution_0.weight", 12)):
        network = build(roadmap_row("05").network)
        assert freeze(network, [pattern]) == count, pattern
    asked = ask("05", **{"recipe.freeze": ["stem", "*.convolution_0.weight", "stages.1.blocks.0"]})
    asked.check(ONE)
    with pytest.raises(Problem, match="'stages.9' names nothing"):  # before images are opened
        ask("05", **{"recipe.freeze": ["stages.9"]}).check(ONE)
    for patterns, said in (
        (["stage"], "'stage' names nothing in this network; valid: features, norms, biases, stem"),
        (["features", "head"], "leaves nothing to train"),
    ):
        with pytest.raises(Problem, match=said):
            freeze(build(roadmap_row("05").network), patterns)


@pytest.mark.slow
def test_an_average_of_the_weights_starts_from_them_too(ask, convnext):
    asked = ask("13", convnext, **{"recipe.ema": 0.9, "recipe.learning_rate": 1e-12})
    trained(asked)
    kept = load_file(asked.folder / "weights.safetensors")
    theirs = load_file(convnext)["stem.0.weight"]
    torch.testing.assert_close(kept["stem.convolution.weight"], theirs)


def test_no_decay_leaves_the_optimizer_as_it_was():
    recipe = replace(load_recipe("finetune-photos"), layer_decay=1.0)
    groups = make_optimizer(build(roadmap_row("13").network), recipe).param_groups
    assert len(groups) == 2 and not any("lr_scale" in group for group in groups)


def test_a_backbone_counts_its_own_parameters_only():
    """The classifier is removed, so it is neither new nor part of the share."""
    network = build(load_roadmap("tiny")["05"].spec.network)
    names = [name for name, _ in network.named_parameters()]
    assert {"head.classifier.weight", "head.classifier.bias"} <= set(names)
    start = StartWeights(
        source="a", fingerprint="b", layout="c", share=90.0,
        new=("head.classifier.weight", "head.classifier.bias"),
    )  # fmt: skip
    of = of_backbone(start, network)
    assert (of.share, of.new) == (100.0, ())
    assert "100 % of the backbone's parameters" in in_words(of, backbone=True)
