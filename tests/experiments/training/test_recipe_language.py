"""Parts of a recipe that no shipped recipe of the first paper has."""

import inspect

import numpy
import pytest
import timm.optim
import torch
from timm.loss import BinaryCrossEntropy
from timm.optim import get_optimizer_class
from torch import nn

from experiments.loading.samplers import MOST_EPOCHS, EpochSampler, Share
from experiments.tasks.optimizer import make_losses, make_optimizer
from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.optimizers import OPTIMIZERS
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap

NEW = load_recipe("tiny-enhanced")


def test_the_table_of_optimizers_is_timms():
    names = {name for name in timm.optim.list_optimizers() if not name.startswith(("bnb", "fused"))}
    assert names - OPTIMIZERS.keys() == {"adahessian", "kron", "kronc", "kronw"}
    for name, options in OPTIMIZERS.items():
        made = get_optimizer_class(name, bind_defaults=False).__init__
        found = inspect.signature(made).parameters
        assert options == {key: found[key].default for key in options}, name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lamb", {"max_grad_norm": 2.0}),
        ("lion", {"betas": (0.8, 0.9)}),
        ("nadamw", None),
        ("muon", {"momentum": 0.9}),
        ("rmsproptf", {"momentum": 0.5}),
        ("lars", None),
    ],
)
def test_any_optimizer_of_timm_takes_a_step_with_its_options(name, options):
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 4))
    recipe = replace(NEW, optimizer=name, optimizer_options=options)
    optimizer = make_optimizer(network, recipe)
    for option, value in (options or {}).items():
        assert optimizer.param_groups[0][option] == value
    before = network[0].weight.detach().clone()
    network(torch.randn(2, 3, 3, 3)).square().mean().backward()
    optimizer.step()
    assert torch.isfinite(network[0].weight).all()
    assert not torch.equal(before, network[0].weight)


def test_weight_decay_has_exclusions_by_name_and_none_for_response_norms():
    network = build(load_roadmap("convnext-v2@tiny")["atto_v2"].spec.network)
    names = {parameter: name for name, parameter in network.named_parameters()}

    def decayed(recipe):
        groups = make_optimizer(network, recipe).param_groups
        return {names[p] for group in groups if group["weight_decay"] for p in group["params"]}

    plain = decayed(NEW)
    assert plain and not any("response_norm" in name or "bias" in name for name in plain)
    assert plain - decayed(replace(NEW, no_decay=("stem.*",))) == {"stem.convolution.weight"}
    everything = replace(NEW, no_decay=("head.*",), decay_norms_and_biases=True)
    assert set(names.values()) - decayed(everything) == {
        name for name in names.values() if name.startswith("head.")
    }
    with pytest.raises(Problem, match=r"no_decay: 'haed\.\*' names no parameter"):
        make_optimizer(network, replace(NEW, no_decay=("haed.*",)))


def test_binary_cross_entropy_is_timms():
    recipe = replace(NEW, loss="binary_cross_entropy", target_threshold=0.2)
    soft, hard = make_losses(recipe)
    logits, labels = torch.randn(4, 5), torch.tensor([0, 1, 2, 3])
    expected = BinaryCrossEntropy(smoothing=NEW.label_smoothing, target_threshold=0.2)
    assert hard(logits, labels) == expected(logits, labels)
    mixed = torch.softmax(torch.randn(4, 5), 1)
    assert soft(logits, mixed) == expected(logits, mixed)


def test_repeats_are_drawn_differently_and_leave_other_images_out():
    sampler = EpochSampler(20, 6, seed=0, repeats=3)
    batches = list(sampler)
    assert len(batches) == 3 and {len(batch) for batch in batches} == {6}
    keys = [key for batch in batches for key in batch]
    assert len(set(keys)) == 18 and len({index for _, index in keys}) == 6
    assert {epoch // MOST_EPOCHS for epoch, _ in keys} == {0, 1, 2}
    assert sampler.images(0, 1) == [index for _, index in batches[1]]
    shares = [
        EpochSampler(20, 8, 0, Share(rank=rank, world=2, accumulate=1), repeats=2)
        for rank in range(2)
    ]
    whole = next(iter(EpochSampler(20, 8, 0, repeats=2)))
    assert sorted(key for share in shares for key in next(iter(share))) == sorted(whole)
    labels = numpy.array([0] * 15 + [1] * 5)
    balanced = list(EpochSampler(20, 4, 0, labels=labels, repeats=2))
    keys = [key for batch in balanced for key in batch]
    assert len(set(keys)) == 20
    once = next(iter(EpochSampler(20, 6, seed=0)))
    assert once == [(0, index) for index in numpy.random.default_rng((0, 0)).permutation(20)[:6]]
