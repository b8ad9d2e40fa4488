"""Segmenters on rows: sizes, the auxiliary head, groups of layers, a missing package."""

import sys

import pytest
import torch
from timm.models import group_parameters

from experiments.tasks.segmenter import segmenter
from experiments.weights.freezing import freeze
from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.tasks import Segmentation
from steps.roadmaps.load import load_roadmap

ROWS = load_roadmap("tiny")


def made(kind="upernet", number="13", roadmap=ROWS, **changes):
    torch.manual_seed(0)
    spec = roadmap[number].spec
    task = Segmentation(segmentation=kind, channels=32, **changes)
    return segmenter(build(spec.network), replace(spec.recipe, task=task), classes=3)


@pytest.mark.parametrize("number", ["00", "13"])
@pytest.mark.parametrize("kind", ["upernet", "fpn"])
def test_logits_of_any_size_and_a_gradient_for_every_parameter(kind, number):
    found = made(kind, number).train()
    logits, auxiliary = found(torch.rand(2, 3, 65, 100))
    assert logits.shape == auxiliary.shape == (2, 3, 65, 100)
    (logits.square().mean() + auxiliary.square().mean()).backward()
    assert [name for name, each in found.named_parameters() if each.grad is None] == []
    with torch.no_grad():
        assert found.eval()(torch.rand(1, 3, 65, 100)).shape == (1, 3, 65, 100)


def test_padding_changes_nothing_if_there_is_none():
    """An image that is padded outside has the same logits as one that the network pads."""
    found = made("fpn").eval()
    image = torch.rand(1, 3, 60, 90)
    with torch.no_grad():
        inside, outside = found(image), found(torch.nn.functional.pad(image, (0, 6, 0, 4)))
    assert torch.equal(inside, outside[..., :60, :90])


def test_without_an_auxiliary_head():
    found = made(auxiliary=0.0).train()
    assert found.auxiliary is None
    _, auxiliary = found(torch.rand(2, 3, 64, 64))
    assert auxiliary is None


def test_the_auxiliary_head_is_a_convolution_of_256_on_the_third_stage():
    (convolution, norm, _), dropout, last = made(dropout=0.25).auxiliary
    third = list(made().backbone.channels)[2]
    assert (convolution.in_channels, convolution.out_channels) == (third, 256)
    assert convolution.kernel_size == (3, 3) and norm.num_features == 256
    assert dropout.p == 0.25 and last.out_channels == 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["upernet", "fpn"])
def test_it_learns_two_halves(kind):
    found = made(kind, dropout=0.0).train()
    images = torch.rand(4, 3, 64, 64)
    images[..., :32] += 1
    labels = torch.zeros(4, 64, 64, dtype=torch.int64)
    labels[..., :32] = 2
    optimizer = torch.optim.AdamW(found.parameters(), 1e-3)
    for _ in range(15):
        logits, auxiliary = found(images)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss = loss + 0.4 * torch.nn.functional.cross_entropy(auxiliary, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (found(images)[0].argmax(1) == labels).float().mean() > 0.9


def test_one_image_in_a_micro_batch_is_refused():
    with pytest.raises(Problem, match="need two images in each micro-batch"):
        made().train()(torch.rand(1, 3, 64, 64))
    made("fpn", auxiliary=0.0).train()(torch.rand(1, 3, 64, 64))


def test_layer_decay_and_freezing():
    found = made()
    groups = group_parameters(found, found.group_matcher(), reverse=True)
    for name, group in groups.items():
        assert (group == max(groups.values())) == (not name.startswith("backbone.network.")), name
    freeze(found, ["features"])
    trained = {name.split(".")[0] for name, each in found.named_parameters() if each.requires_grad}
    assert trained == {"decoder", "classifier", "auxiliary"}


def test_three_stages():
    rows = load_roadmap("small")
    found = made("upernet", "13", rows).eval()
    with torch.no_grad():
        assert found(torch.rand(1, 3, 50, 40)).shape == (1, 3, 50, 40)
    with pytest.raises(Problem, match="'fpn' needs 4 stages; this network has 3. Use 'upernet'"):
        made("fpn", "13", rows)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("segmentation_models_pytorch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(Problem, match=r"pip install 'modernization-roadmap\[tasks\]'"):
        made()
