"""Uneven classes: balanced sampling and class weights; neither changes other runs."""

from collections import Counter

import numpy
import pytest
import torch
from torch import nn

from experiments.loading.samplers import MOST_EPOCHS, EpochSampler, Share, balanced_order
from experiments.tasks.losses import class_weights, weighted_loss
from roadmap.cli.main import main
from roadmap.record import read_records
from roadmap.spec import Recipe, from_dict, to_dict
from steps.roadmaps.load import load_roadmap

LABELS = numpy.array([0] * 30 + [1] * 6 + [3] * 4)  # class 2 has no images


def test_every_class_comes_equally_often_and_small_ones_repeat_evenly():
    order = balanced_order(LABELS, numpy.random.default_rng(0))
    assert order.shape == (40, 2)
    counts = Counter(LABELS[order[:, 0]].tolist())
    assert set(counts) == {0, 1, 3} and set(counts.values()) <= {13, 14}
    times = Counter(order[:, 0].tolist())
    for label in (1, 3):
        own = [times[index] for index in numpy.flatnonzero(label == LABELS)]
        assert max(own) - min(own) <= 1
    assert max(times[index] for index in range(30)) == 1  # none of the large class twice
    for index, number in times.items():
        again = order[order[:, 0] == index, 1]
        assert sorted(again) == list(range(number))


def test_a_repeated_image_has_another_key_and_resuming_changes_nothing():
    sampler = EpochSampler(40, 8, 1, labels=LABELS)
    sampler.set_epoch(2)
    batches = list(sampler)
    keys = [key for batch in batches for key in batch]
    assert len(batches) == 5 and len(set(keys)) == len(keys) == 40
    assert {epoch % MOST_EPOCHS for epoch, _ in keys} == {2}
    assert any(epoch > MOST_EPOCHS for epoch, _ in keys)
    assert sampler.images(2, 1) == [index for _, index in batches[1]]
    resumed = EpochSampler(40, 8, 1, labels=LABELS)
    resumed.resume(2, 3)
    assert list(resumed) == batches[3:]
    parts = []
    for rank in range(2):
        part = EpochSampler(40, 8, 1, Share(rank=rank, world=2), LABELS)
        part.set_epoch(2)
        parts.append(list(part))
    for whole, one, other in zip(batches, *parts, strict=True):
        assert sorted(whole) == sorted([*one, *other])


def test_weights_are_the_inverse_of_class_sizes():
    weights = class_weights(LABELS, 4)
    assert weights.tolist() == pytest.approx([40 / 90, 40 / 18, 0, 40 / 12])
    assert weights[torch.from_numpy(LABELS)].mean() == pytest.approx(1)


def test_with_equal_weights_the_loss_is_torchs():
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    ones = torch.ones(4)
    for smoothing in (0.0, 0.1):
        expected = nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, labels)
        assert weighted_loss(logits, labels, ones, smoothing) == pytest.approx(float(expected))
    soft = torch.rand(6, 4).softmax(1)
    expected = nn.CrossEntropyLoss()(logits, soft)
    assert weighted_loss(logits, soft, ones, 0.1) == pytest.approx(float(expected))
    heavy = torch.tensor([2.0, 0.0, 0.0, 0.0])
    first = nn.functional.cross_entropy(logits[[0, 4]], labels[[0, 4]], reduction="sum")
    assert weighted_loss(logits, labels, heavy, 0.0) == pytest.approx(float(2 * first / 6))


def test_old_recipes_keep_their_fingerprints_and_balancing_changes_them():
    recipe = load_roadmap("tiny")["05"].spec.recipe
    assert "sampling" not in to_dict(recipe) and "class_weights" not in to_dict(recipe)
    balanced = from_dict(Recipe, {**to_dict(recipe), "sampling": "balanced"})
    assert to_dict(balanced)["sampling"] == "balanced"
    with pytest.raises(Exception, match="both 'balanced': set one of them"):
        from_dict(Recipe, {**to_dict(recipe), "sampling": "balanced", "class_weights": "balanced"})


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["recipe.sampling=balanced", "recipe.class_weights=balanced"])
def test_runs_train_with_it(images, tmp_path, setting):
    short = ["--set", "recipe.epochs=1", "--set", "recipe.batch=8", "--set", "recipe.image_size=32"]
    where = ["--data", str(images), "--runs", str(tmp_path / "runs"), "--threads", "1"]
    for more in ([], ["--set", setting]):
        assert main(["train", "01", *short, *more, *where]) == 0
    one, other = read_records(tmp_path / "runs").records
    assert one.identity.spec != other.identity.spec
    losses = {record.history[0]["train_loss"] for record in (one, other)}
    # the classes of these images are even: weights are 1, and the order alone differs
    assert len(losses) == 2 or "class_weights" in setting
