"""Rows as models of timm: names, options, features, and what timm asks of its own models."""

import pytest
import timm
import torch
from timm.models import group_parameters
from torchvision.models.feature_extraction import create_feature_extractor

import roadmap.timm_models
from roadmap.errors import Problem
from roadmap.network import build
from steps.roadmaps.load import load_roadmap

KINDS = ["tiny_00", "tiny_05", "tiny_08", "tiny_13", "convnext_v2_atto_v2"]
KINDS += [pytest.param("robust_cnn_inverted", marks=pytest.mark.slow)]


def test_every_shipped_row_has_a_name():
    names = timm.list_models("roadmap_*")
    assert {"roadmap_resnet50_08", "roadmap_resnet50_08_k5", "roadmap_tiny_13"} <= set(names)
    assert {"roadmap_convnext_family_tiny", "roadmap_inceptionnext_06_s16"} <= set(names)
    assert len(names) == len(roadmap.timm_models.__all__) > 100


def test_features_as_in_the_issue():
    model = timm.create_model(
        "roadmap_resnet50_08", num_classes=10, features_only=True, out_indices=(1, 2, 3)
    ).eval()
    with torch.inference_mode():
        features = model(torch.randn(1, 3, 64, 64))
    assert [tuple(each.shape) for each in features] == [
        (1, 192, 8, 8),
        (1, 384, 4, 4),
        (1, 768, 2, 2),
    ]
    assert model.feature_info.channels() == [192, 384, 768]
    assert model.feature_info.reduction() == [8, 16, 32]


@pytest.mark.parametrize("name", KINDS)
def test_the_interface_of_timms_models(name):
    model = timm.create_model(f"roadmap_{name}", num_classes=7).eval()
    side = model.default_cfg["input_size"][-1]
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = model.forward_features(images)
        assert features.shape[1:] == (model.num_features, *model.default_cfg["pool_size"])
        hidden = model.forward_head(features, pre_logits=True)
        assert hidden.shape == (2, model.head_hidden_size)
        logits = model(images)
    for key in ("first_conv", "classifier"):
        assert f"{model.default_cfg[key]}.weight" in model.state_dict()
    model.set_grad_checkpointing()
    model.train()
    model(images).mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.eval().set_grad_checkpointing(False)
    groups = group_parameters(model, model.group_matcher())
    assert sum(map(len, groups.values())) == len(list(model.parameters()))
    assert model.no_weight_decay() <= dict(model.named_parameters()).keys()
    with torch.inference_mode():
        last, stages = model.forward_intermediates(images, norm=True, stop_early=True)
        model.reset_classifier(0)
        assert model(images).shape == hidden.shape
        model.reset_classifier(0, "")
        assert model(images).shape == features.shape == last.shape
    assert logits.shape == (2, 7) and len(stages) == len(model.feature_info)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*KINDS, "inceptionnext_07"])
def test_torch_fx_traces_every_kind_of_block(name):
    model = timm.create_model(f"roadmap_{name}").eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        traced = create_feature_extractor(model, return_nodes={"head.classifier": "logits"})
        assert torch.equal(traced(images)["logits"], model(images))


def test_options():
    model = timm.create_model("roadmap_tiny_13", in_chans=1, drop_rate=0.2, drop_path_rate=0.3)
    assert model.eval()(torch.randn(1, 1, 48, 48)).shape == (1, 20)
    assert (model.spec.head_dropout, model.spec.drop_path) == (0.2, 0.3)
    bare = timm.create_model("roadmap_tiny_13", num_classes=0, global_pool="").eval()
    assert bare(torch.randn(1, 3, 64, 64)).shape == (1, bare.num_features, 2, 2)
    with pytest.raises(Problem, match="no published weights"):
        roadmap.timm_models.roadmap_tiny_13(pretrained=True)


def test_formats_of_features():
    network = build(load_roadmap("tiny")["13"].spec.network).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        (first,) = network.forward_intermediates(
            images, [0], stop_early=True, output_fmt="NHWC", intermediates_only=True
        )
    assert first.shape == (1, 16, 16, network.feature_info[0]["num_chs"])
    with pytest.raises(Problem, match="unknown output_fmt 'NLC'; .*valid: NCHW, NHWC"):
        network.forward_intermediates(images, output_fmt="NLC")
