"""Networks: the interface, the building blocks against plain torch, ways of computing."""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional

from roadmap.errors import Problem
from roadmap.layers import DepthwiseConvolution, sequence
from roadmap.network import build
from roadmap.plan import plan
from roadmap.spec import Block, Convolution, Network, Operation, Reference, Stage, Stem
from steps.roadmaps.load import load_roadmap

TINY = load_roadmap("tiny")


def test_interface_of_a_timm_model():
    network = build(TINY["13"].spec.network).eval()
    images = torch.randn(2, 3, 64, 64)
    features = network.forward_features(images)
    assert features.shape == (2, network.num_features, 2, 2)
    assert torch.equal(network.forward_head(features), network(images))
    assert network.forward_head(features, pre_logits=True).shape == (2, network.num_features)
    last, by_stage = network.forward_intermediates(images)
    assert torch.equal(last, features)
    for found, told in zip(by_stage, network.feature_info, strict=True):
        assert found.shape[1] == told["num_chs"]
        assert found.shape[2] == 64 // told["reduction"]
    only = network.forward_intermediates(images, indices=[1, -1], intermediates_only=True)
    assert torch.equal(only[1], features)
    assert len(network.forward_intermediates(images, indices=2, intermediates_only=True)) == 2
    with pytest.raises(Problem, match="stages \\[4\\] do not exist; valid: -4 to 3"):
        network.forward_intermediates(images, indices=[4])
    network.reset_classifier(7)
    assert network(images).shape == (2, 7)
    assert network.num_classes == network.get_classifier().out_features == 7
    network.reset_classifier(0)
    assert network(images).shape == (2, network.num_features)


class MiniConvNeXtBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.expand = nn.Conv2d(width, 4 * width, 1)
        self.reduce = nn.Conv2d(4 * width, width, 1)

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x + self.reduce(functional.gelu(self.expand(y)))


class InvertedBottleneck(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.expand = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(4 * width)
        self.depthwise = nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * width)
        self.reduce = nn.Conv2d(4 * width, width, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(width)

    def forward(self, x):
        y = functional.relu(self.norm1(self.expand(x)))
        y = functional.relu(self.norm2(self.depthwise(y)))
        return functional.relu(x + self.norm3(self.reduce(y)))


MINI = Block(
    units=(
        Convolution(kernel=7, width="same", depthwise=True, bias=True, norm="layer"),
        Convolution(width="wide", bias=True, activation="gelu"),
        Convolution(width="narrow", bias=True),
    )
)
INVERTED = Block(
    units=(
        Convolution(width="wide", norm="batch", activation="relu"),
        Convolution(kernel=3, width="wide", depthwise=True, norm="batch", activation="relu"),
        Convolution(width="narrow", norm="batch"),
    ),
    shortcut_norm="batch",
    activation="relu",
)


@pytest.mark.parametrize(
    ("block", "plain"), [(MINI, MiniConvNeXtBlock), (INVERTED, InvertedBottleneck)]
)
def test_blocks_are_their_plain_definitions(block, plain):
    network = Network(
        stem=Stem(kernel=4, stride=4, bias=True), stages=(Stage(depth=1, width=12, block=block),)
    )
    ours = build(network).stages[0].blocks[0].eval()
    theirs = plain(12).eval()
    weights = list(theirs.state_dict().values())
    ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))
    x = torch.randn(3, 12, 16, 16)
    assert torch.equal(ours(x), theirs(x))


def test_patchify_stem_is_one_plain_convolution():
    stem = sequence(plan(TINY["03"].spec.network, 48).stem)
    plain = nn.Conv2d(3, 16, kernel_size=4, stride=4)
    assert [type(each) for each in stem] == [nn.Conv2d]
    stem.convolution.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 48, 48)
    assert torch.equal(stem(images), plain(images))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [1, 2, 3, 6, 7])
def test_small_maps_as_a_matrix_are_the_convolution(side, stride):
    ours = DepthwiseConvolution(5, 5, 7, stride=stride, padding=3, groups=5).double()
    x = torch.randn(2, 5, side, side, dtype=torch.float64, requires_grad=True)
    plain = functional.conv2d(x, ours.weight, ours.bias, stride=stride, padding=3, groups=5)
    found = ours(x)
    torch.testing.assert_close(found, plain)
    weight = torch.randn_like(plain)
    expected = torch.autograd.grad(plain, (x, ours.weight), weight)
    gradients = torch.autograd.grad(found, (x, ours.weight), weight)
    torch.testing.assert_close(gradients, expected)


# convnext: 7×7; mobilenetv3: 3×3 and 5×5, stride 2; resnext: groups, but not one a channel
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"),
    [("test_convnext", 9), ("mobilenetv3_small_050", 11), ("resnext50_32x4d", 0)],
)
def test_a_timm_model_computes_as_timms_own_with_our_depthwise_convolutions(name, expected):
    torch.manual_seed(0)
    ours = build(Reference(timm=name, classes=5), 64).double()
    theirs = timm.create_model(name, num_classes=5).double()
    with torch.no_grad():  # ConvNeXt's starts at 1e-6, which would hide its blocks
        for weight_name, weight in ours.named_parameters():
            if weight_name.endswith("gamma"):
                weight.fill_(1.0)
    theirs.load_state_dict(ours.state_dict())
    assert sum(isinstance(each, DepthwiseConvolution) for each in ours.modules()) == expected
    images, outputs = torch.randn(2, 3, 64, 64, dtype=torch.float64), []
    for network in (ours, theirs):
        outputs.append(network.eval()(images))
        outputs[-1].square().mean().backward()
    torch.testing.assert_close(*outputs)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_what_is_no_plain_depthwise_convolution_stays_timms():
    plain = {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "groups": 4, "padding": 1}
    assert DepthwiseConvolution.can_be(nn.Conv2d(**plain))
    for change in (
        {"groups": 2}, {"out_channels": 8}, {"kernel_size": (3, 5)}, {"stride": (1, 2)},
        {"padding": (1, 0)}, {"padding": 3}, {"padding": "same"}, {"dilation": 2},
        {"padding_mode": "reflect"},
    ):  # fmt: skip
        assert not DepthwiseConvolution.can_be(nn.Conv2d(**plain | change))
    assert not DepthwiseConvolution.can_be(nn.ReLU())


@pytest.mark.parametrize("number", ["00", "07", "13"])
def test_memory_format_changes_no_result(number):
    torch.manual_seed(0)
    network = build(TINY[number].spec.network).eval()
    images = torch.randn(2, 3, 48, 48)
    expected = network(images)
    network.to(memory_format=torch.channels_last)
    found = network(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_initialization():
    torch.manual_seed(0)
    path = load_roadmap("resnet50")
    old, new = (build(path[number].spec.network) for number in ("00", "13"))
    spatial = old.stages[2].blocks[0].branch.convolution_1.weight  # 256 → 256, 3×3
    assert spatial.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    expand = new.stages[2].blocks[0].branch.convolution_1
    assert expand.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert expand.weight.abs().max().item() < 2.1  # truncated at ±2, as in the released code
    assert not expand.bias.any()
    assert new.head.classifier.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert torch.all(new.stages[0].blocks[0].branch.layer_scale.gamma == 1e-6)


def test_drop_path_grows_linearly_over_depth():
    stages = plan(load_roadmap("resnet50")["13"].spec.network).stages
    rates = [block.drop_path for stage in stages for block in stage.blocks]
    assert rates == pytest.approx([0.1 * i / 17 for i in range(18)])


@pytest.mark.parametrize("stated", [1, 2])
def test_the_cost_of_an_own_operation_is_compared_with_its_module(stated):
    """`cost` states `stated` values per channel; the module has 2."""
    operation = Operation(
        operation="scale_and_shift",
        build=lambda channels: nn.GroupNorm(1, channels),
        cost=lambda channels, height, width: {
            "macs": 0,
            "params": stated * channels,
            "activations": 0,
        },
    )
    block = Block(units=(Convolution(kernel=3, width="narrow"), operation))
    stages = (Stage(depth=1, width=8, block=block),)
    network = Network(stem=Stem(kernel=4, stride=4), stages=stages, classes=3)
    if stated == 2:
        assert build(network).num_classes == 3
        return
    with pytest.raises(Problem, match="scale_and_shift' states 8 parameters for 8 channels.* 16"):
        build(network)
