"""Published layouts of weights load into our networks to the bit; each is recognized by name."""

import re

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from roadmap.edit import edit_network, replace
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.timm_weights import load_timm, to_timm
from steps.roadmaps.load import load_roadmap

PATH = load_roadmap("resnet50").with_classes(7)
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def small(row):
    """A row's network with blocks (1, 1, 2, 1) and 8 channels in the first stage."""
    spec = PATH[row].spec
    widths = [8 * 2**index for index in range(4)]
    sizes = zip(spec.network.stages, (1, 1, 2, 1), widths, strict=True)
    stages = tuple(replace(stage, depth=depth, width=width) for stage, depth, width in sizes)
    return edit_network(spec, stages=stages).network


def disturbed(network):
    """The network with no weight at its initial value."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return network.eval()


def released(weights):
    """timm's ConvNeXt weights under the names of the paper's release."""
    rules = (
        (r"^stem\.", "downsample_layers.0."),
        (r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1."),
        (r"\.blocks\.(\d+)\.conv_dw", r".\1.dwconv"),
        (r"\.blocks\.(\d+)\.mlp\.fc", r".\1.pwconv"),
        (r"\.blocks\.(\d+)\.", r".\1."),
        (r"^head\.norm", "norm"),
        (r"^head\.fc", "head"),
    )
    renamed = {}
    for name, weight in weights.items():
        for pattern, target in rules:
            name = re.sub(pattern, target, name)
        renamed[name] = weight
    return renamed


@pytest.fixture(scope="module")
def convnext():
    """Our small ConvNeXt and its weights under timm's names."""
    network = disturbed(build(small("13")))
    return network, to_timm(network, conv_mlp=False)


def test_the_layout_of_the_papers_release(convnext):
    network, theirs = convnext
    weights = released(theirs)
    assert {"downsample_layers.0.0.weight", "stages.0.0.dwconv.weight", "stages.2.1.gamma",
            "norm.weight", "head.bias", "stages.1.0.pwconv2.bias"} <= set(weights)  # fmt: skip
    ours = build(small("13")).eval()
    assert str(load_timm(ours, weights)) == "ConvNeXt as the paper released it"
    with torch.inference_mode():
        assert torch.equal(ours(IMAGES), network(IMAGES))


def test_torchvisions_convnext_and_resnet():
    from torchvision.models.convnext import CNBlockConfig

    sizes = zip((8, 16, 32, 64), (16, 32, 64, None), (1, 1, 2, 1), strict=True)
    blocks = [CNBlockConfig(*size) for size in sizes]
    resnet = torchvision.models.ResNet(
        torchvision.models.resnet.Bottleneck, [1, 1, 2, 1], num_classes=7
    )
    wide = tuple(
        replace(stage, width=64 * 2**index) for index, stage in enumerate(small("00").stages)
    )
    pairs = (
        (torchvision.models.ConvNeXt(blocks, num_classes=7), small("13"), "torchvision's ConvNeXt"),
        (resnet, replace(small("00"), stages=wide), "ResNet of timm and torchvision"),
    )
    for theirs, network, name in pairs:
        disturbed(theirs)
        ours = build(network).eval()
        assert str(load_timm(ours, theirs.state_dict())) == name
        with torch.inference_mode():
            torch.testing.assert_close(ours(IMAGES), theirs(IMAGES), rtol=0, atol=1e-4)


def test_prefixes_and_averages_of_files(convnext, tmp_path):
    network, theirs = convnext
    average = {f"module.{name}": weight * 2 for name, weight in theirs.items()}
    raw = {f"module._orig_mod.{name}": weight for name, weight in theirs.items()}
    torch.save({"epoch": 3, "model": raw, "model_ema": average}, tmp_path / "both.pth")
    torch.save({"state_dict_ema": average}, tmp_path / "average.pth")
    ours = build(small("13"))
    both, average_only = tmp_path / "both.pth", tmp_path / "average.pth"
    cases = (
        (both, False, 1, "raw weights (the file has averaged ones too)"),
        (both, True, 2, "averaged weights (the file has raw ones too)"),
        (average_only, False, 2, "averaged weights"),
    )
    for path, use_ema, factor, said in cases:
        assert load_timm(ours, path, use_ema=use_ema).taken == said
        assert torch.equal(ours.head.classifier.weight, network.head.classifier.weight * factor)
    save_file(theirs, tmp_path / "raw.bin")  # told by its content, not by its ending
    assert str(load_timm(ours, tmp_path / "raw.bin")) == "timm's ConvNeXt"
    with pytest.raises(Problem, match="no averaged weights; leave out --use-ema"):
        load_timm(ours, tmp_path / "raw.bin", use_ema=True)


def test_our_own_layout(convnext):
    network, _ = convnext
    ours = build(small("13"))
    assert load_timm(ours, network.state_dict()).layout == "this project's own"
    assert torch.equal(ours.head.classifier.weight, network.head.classifier.weight)
    row08 = build(small("08"))  # our layout needs no counterpart in timm
    load_timm(row08, disturbed(build(small("08"))).state_dict())


WRONG = {
    "pointer.pth": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "empty.pth": (b"", "is empty"),
    "page.pth": (b"<!doctype html>", "neither a safetensors file nor one of torch.save"),
    "cut.safetensors": (b"\x10\x00\x00\x00\x00\x00\x00\x00{", "is damaged"),
    "list.pth": ([torch.zeros(2)], "holds a list, not weights by name"),
    "empty-dict.pth": ({}, "its keys are: none"),
    "other.pth": ({"epoch": 1, "args": [1]}, "its keys are: epoch, args"),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_without_weights_are_refused_in_one_line(name, tmp_path):
    content, said = WRONG[name]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        torch.save(content, tmp_path / name)
    with pytest.raises(Problem, match=re.escape(said)) as found:
        load_timm(build(small("13")), tmp_path / name)
    assert name in str(found.value) and "\n" not in str(found.value)


def test_a_pickled_module_is_refused_in_one_line(tmp_path):
    torch.save(timm.create_model("convnext_atto", depths=(1, 1, 1, 1)), tmp_path / "whole.pth")
    with pytest.raises(Problem, match=r"pickled object of timm\..*ConvNeXt.*state_dict") as found:
        load_timm(build(small("13")), tmp_path / "whole.pth")
    assert "\n" not in str(found.value)
