"""A network as a backbone: its features, what is removed, and which networks can be none."""

import pytest
import torch

from experiments.tasks.backbone import Backbone
from roadmap.errors import Problem
from roadmap.layers import ChannelNorm
from roadmap.network import build
from roadmap.spec import Reference
from roadmap.tasks import Detection, Segmentation
from steps.roadmaps.load import load_roadmap

DETECTION = Detection(detection="faster_rcnn", short_sides=(96,))
UPERNET = Segmentation(segmentation="upernet")
FPN = Segmentation(segmentation="fpn", channels=32)


def network_of(name, row="13"):
    if name.startswith("timm:"):
        return build(Reference(timm=name.removeprefix("timm:"), classes=5))
    return build(load_roadmap(name)[row].spec.network)


@pytest.mark.parametrize(
    ("name", "channels", "norms"),
    [
        ("tiny", [24, 48, 96, 192], 4),
        ("timm:convnext_atto", [40, 80, 160, 320], 4),
        ("timm:resnet18", [64, 128, 256, 512], 0),
        pytest.param(
            "timm:swin_tiny_patch4_window7_224", [96, 192, 384, 768], 4, marks=pytest.mark.slow
        ),
        ("timm:efficientnet_b0", [24, 40, 112, 320], 0),
    ],
)
def test_features_of_all_stages_and_a_gradient_for_every_parameter(name, channels, norms):
    backbone = Backbone(network_of(name), DETECTION).train()
    features = backbone(torch.rand(2, 3, 64, 128))
    shapes = [(2, width, 16 >> stage, 32 >> stage) for stage, width in enumerate(channels)]
    assert [tuple(feature.shape) for feature in features] == shapes
    assert len(backbone.norms) == norms
    sum(feature.square().mean() for feature in features).backward()
    assert [name for name, each in backbone.named_parameters() if each.grad is None] == []


def test_features_are_those_of_the_network_then_normed():
    network = network_of("tiny").eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        _, own = network.forward_intermediates(image)
        found = Backbone(network, DETECTION).eval()(image)
    for before, after in zip(own, found, strict=True):
        assert torch.equal(ChannelNorm(before.shape[1])(before), after)


def test_a_norm_only_where_the_row_has_one_and_the_head_brings_none():
    assert [len(Backbone(network_of("tiny", row), FPN).norms) for row in ("00", "13")] == [0, 4]
    assert len(Backbone(network_of("tiny"), UPERNET).norms) == 0


def test_weights_of_the_network_stay():
    network = network_of("tiny")
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    kept = Backbone(network, DETECTION).network.state_dict()
    assert set(weights) - set(kept) == {name for name in weights if name.startswith("head.")}
    assert all(torch.equal(weights[name], value) for name, value in kept.items())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:vit_tiny_patch16_224", "row x lacks a pyramid of features for detection: its stages "
         "divide the image by 16, 16"),
        ("timm:hiera_tiny_224", "row x cannot be a backbone: it fails for an image of 64 × 96"),
        ("convnext-family", "row x lacks a pyramid"),
    ],
)  # fmt: skip
def test_networks_that_can_be_none(name, words):
    network = network_of(name, "09")
    with pytest.raises(Problem, match=words):
        Backbone(network, DETECTION, "row x")
