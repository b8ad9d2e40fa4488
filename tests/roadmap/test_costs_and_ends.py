"""Costs against the paper and against torch; the two ends against timm, to the bit."""

import pickle

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from roadmap.cost import cost
from roadmap.edit import edit_units, replace
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.paper import printed
from roadmap.timm_weights import load_timm, to_timm
from steps.gelu import gelu
from steps.roadmaps.load import SHIPPED, load_roadmap

ROADMAPS = {name: load_roadmap(name) for name in SHIPPED}
ROWS = [(name, row.number) for name, path in ROADMAPS.items() for row in path]


PRINTED = [
    (name, row.number)
    for name, path in ROADMAPS.items()
    for row in (path if path.paper_path else ())
    if printed(path.paper, row.number, row.step)
]


@pytest.mark.parametrize(("name", "number"), PRINTED)
def test_costs_agree_with_the_paper_or_are_exempt_by_name(name, number):
    paper = ROADMAPS[name].paper
    line = paper.rows[number]
    found = cost(ROADMAPS[name][number].spec.network, paper.image_size)
    if line.computed:
        decimals = len(line.computed.partition(".")[2])
        assert f"{found.gmacs:.{decimals}f}" == line.computed != line.cost and line.note
    elif line.cost:
        assert line.agrees(found.gmacs)
    if line.params:
        assert line.agrees_in_params(found.params)


def test_published_totals():
    ends = {
        ("resnet50", "00"): 25_557_032,
        ("resnet50", "13"): 28_589_128,
    }
    for (name, number), params in ends.items():
        assert cost(ROADMAPS[name][number].spec.network).params == params
    assert cost(ROADMAPS["resnet50"]["13"].spec.network).activations == 13_435_624


def _distinct():
    """The rows of all roadmaps whose network no earlier row has; slow if they have many layers."""
    seen = set()
    for name, number in ROWS:
        network = ROADMAPS[name][number].spec.network
        layers = replace(network, drop_path=0.0, head_dropout=0.0)
        if layers not in seen:
            seen.add(layers)
            deep = sum(stage.depth for stage in network.stages) > 16
            yield pytest.param(name, number, marks=[pytest.mark.slow] * deep)


@pytest.mark.parametrize(("name", "number"), list(_distinct()))
def test_walk_equals_the_module_and_torchs_counter(name, number):
    spec = ROADMAPS[name][number].spec
    size = {"resnet50": 224, "tiny": 48, "small": 32, "cifar": 64}.get(name, 96)
    with torch.device("meta"):
        network = build(spec.network).eval()
        image = torch.empty(1, 3, size, size)
    walked = cost(spec.network, size)
    assert walked.params == sum(each.numel() for each in network.parameters())
    outputs = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(lambda _m, _i, out: outputs.append(out.numel()))
    with FlopCounterMode(display=False) as counter:
        network(image)
    assert 2 * walked.macs == counter.get_total_flops()
    assert walked.activations == sum(outputs)


def test_cost_per_layer_adds_up_and_follows_the_image_size():
    network = ROADMAPS["resnet50"]["13"].spec.network
    small, large = cost(network, 64), cost(network, 256)
    assert small.macs == sum(each.macs for each in small.layers)
    convolutions = [each for each in large.layers if each.layer.kind == "convolution"]
    matching = [each for each in small.layers if each.layer.kind == "convolution"]
    pairs = zip(convolutions, matching, strict=True)
    assert all(big.macs == 16 * little.macs for big, little in pairs)
    assert small.params == large.params


def _disturbed(model):
    """The model with no weight and no statistic at its initial value."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.02)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
            if name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return model.eval()


ENDS = [
    pytest.param("resnet50", "00", "resnet50", {}, marks=pytest.mark.slow),
    pytest.param("resnet50", "01", "resnet50", {}, marks=pytest.mark.slow),
    pytest.param("resnet200", "00", "resnet200", {}, marks=pytest.mark.slow),
    pytest.param("resnet50", "13", "convnext_tiny", {"conv_mlp": True}, marks=pytest.mark.slow),
    pytest.param("resnet200", "13", "convnext_base", {"conv_mlp": True}, marks=pytest.mark.slow),
    pytest.param("inceptionnext", "07", "inception_next_tiny", {}, marks=pytest.mark.slow),
    pytest.param("bag-of-tricks", "06", "resnet50d", {}, marks=pytest.mark.slow),
    pytest.param("resnet-rs", "10", "resnetrs200", {}, marks=pytest.mark.slow),
    ("convnext-family", "atto", "convnext_atto", {"conv_mlp": True}),
    ("convnext-v2", "atto_v2", "convnextv2_atto", {"conv_mlp": True}),
]
SIZES = {  # further rows of families, of up to 660 million weights
    ("convnext-family", "femto"): "convnext_femto", ("convnext-family", "pico"): "convnext_pico",
    ("convnext-family", "nano"): "convnext_nano", ("convnext-family", "small"): "convnext_small",
    ("convnext-family", "tiny"): "convnext_tiny", ("convnext-family", "base"): "convnext_base",
    ("convnext-family", "large"): "convnext_large",
    ("convnext-family", "xlarge"): "convnext_xlarge",
    **{("convnext-v2", f"{size}_v2"): f"convnextv2_{size}"
       for size in ("femto", "pico", "nano", "tiny", "base", "large", "huge")},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), SIZES)
def test_the_sizes_of_a_family_have_timms_weights(name, number):
    with torch.device("meta"):
        theirs = timm.create_model(SIZES[name, number], conv_mlp=True).state_dict()
        ours = to_timm(build(ROADMAPS[name][number].spec.network))
    shapes = {key: tuple(weight.shape) for key, weight in ours.items()}
    assert shapes == {key: tuple(weight.shape) for key, weight in theirs.items()}


def _drawn(model):
    """A model that was built without memory, with small weights; LayerNorm's are around 1."""
    model = model.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.02, generator=generator)
            if "norm" in name and name.endswith("weight"):
                parameter.add_(1)
    return model


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), SIZES)
def test_the_sizes_of_a_family_are_timms_to_the_bit(name, number):
    with torch.device("meta"):
        theirs = timm.create_model(SIZES[name, number], conv_mlp=True)
        ours = build(ROADMAPS[name][number].spec.network)
    theirs, ours = _drawn(theirs), ours.to_empty(device="cpu").eval()
    load_timm(ours, theirs.state_dict())
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = theirs(images)
        assert torch.isfinite(expected).all() and expected.std() > 1e-3
        assert torch.equal(ours(images), expected)


@pytest.mark.parametrize(("name", "number", "model", "options"), ENDS)
def test_ends_are_timms_to_the_bit(name, number, model, options):
    theirs = _disturbed(timm.create_model(model, **options))
    with torch.device("meta"):  # both are given all weights
        ours = build(ROADMAPS[name][number].spec.network)
        again = timm.create_model(model, **options).eval()
    ours = ours.to_empty(device="cpu").eval()
    load_timm(ours, theirs.state_dict())
    side = 96 if name == "resnet-rs" else 224
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, found = theirs(images), ours(images)
        assert torch.equal(found, expected)
        assert torch.equal(ours.forward_features(images), theirs.forward_features(images))
    # And back: timm's model with our names and weights.
    again.load_state_dict(to_timm(ours), assign=True)
    with torch.inference_mode():
        assert torch.equal(again(images), expected)


@pytest.mark.slow
def test_the_default_convnext_agrees_to_rounding():
    theirs = _disturbed(timm.create_model("convnext_tiny"))
    ours = build(ROADMAPS["resnet50"]["13"].spec.network).eval()
    load_timm(ours, theirs.state_dict())
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, found = theirs(images), ours(images)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_weight_files(tmp_path):
    theirs = timm.create_model("resnet26", num_classes=5)  # bottlenecks, (2, 2, 2, 2)
    path = ROADMAPS["resnet50"].with_classes(5)
    from roadmap.edit import edit_network, replace

    stages = tuple(replace(stage, depth=2) for stage in path["00"].spec.network.stages)
    network = edit_network(path["00"].spec, stages=stages).network
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "model.pth")
    for file in ("model.safetensors", "model.pth"):
        ours = build(network)
        load_timm(ours, tmp_path / file)
        assert torch.equal(ours.head.classifier.weight, theirs.fc.weight)
        assert torch.equal(
            ours.stages[3].blocks[1].branch.convolution_1.weight, theirs.layer4[1].conv2.weight
        )


class _Malicious:
    def __reduce__(self):
        return (print, ("executed",))


def test_weights_that_do_not_fit(tmp_path, capsys):
    ours = build(ROADMAPS["tiny"]["00"].spec.network)
    with pytest.raises(Problem, match="does not exist"):
        load_timm(ours, tmp_path / "none.pth")
    with pytest.raises(Problem, match="of another network"):
        load_timm(ours, {"fc.weight": torch.zeros(3, 3)})
    weights = to_timm(ours)
    weights["fc.weight"] = torch.zeros(3, 3)
    with pytest.raises(Problem, match=r"fc\.weight has the shape \[3, 3\]"):
        load_timm(ours, weights)
    tiny = ROADMAPS["tiny"]
    alike = edit_units(tiny["13"].spec, lambda unit: unit.activation, activation="relu")
    relu = gelu(tiny["00"].spec)
    for spec in (tiny["08"].spec, alike, relu):
        with pytest.raises(Problem, match="no counterpart in timm"):
            to_timm(build(spec.network))
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"state_dict": _Malicious()}, protocol=2))
    with pytest.raises(Problem, match="not readable as weights"):
        load_timm(ours, tmp_path / "evil.pth")
    assert "executed" not in capsys.readouterr().out
