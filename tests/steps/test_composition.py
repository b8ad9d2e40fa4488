"""Steps in any subset and any order: a network that trains, or one clear error."""

import dataclasses

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.tasks.measured_cost import measured_cost
from roadmap.cost import cost
from roadmap.errors import StepError
from roadmap.network import build
from roadmap.plan import plan
from roadmap.rows import Row
from roadmap.spec import Reference, Spec, from_dict, to_dict
from steps import STEPS
from steps.recipes.load import load_recipe
from steps.resnet import resnet
from steps.roadmaps.load import load_roadmap

OLD, NEW = load_recipe("tiny-old"), load_recipe("tiny-enhanced")
PARAMETERS = {
    "training_recipe": {"recipe": NEW, "drop_path": 0.1},
    "stage_ratio": {"depths": [1, 1, 2, 1]},
    "width": {"width": 16},
    "layer_scale": {"initial": 0.5},
    "partial_depthwise": {"share": 0.5},
    "stage_expansion": {"expansions": [4, 4, 2, 3]},
    "network_size": {"depths": [1, 1, 2, 1], "width": 16},
    "isotropic": {"depth": 2, "width": 16, "patch": 8},
    "robust_cnn": {"block": "inverted", "kernel": 3, "depths": [1, 1]},
    "epochs": {"epochs": 7},
    "randaugment": {"policy": "rand-m3"},
    "weight_decay": {"amount": 0.01},
    "drop_path": {"rate": 0.3},
}
ALL = tuple(STEPS)[:14]  # those of the first paper, which commute
OTHERS = tuple(STEPS)[14:]
BEFORE = {  # what a step needs, or changes
    "move_up_depthwise": ["depthwise"],
    "partial_depthwise": ["depthwise", "move_up_depthwise"],
    "inception_mixer": ["depthwise", "move_up_depthwise", "partial_depthwise"],
    "batch_norm": ["layer_norm"],
    "no_layer_scale": ["layer_scale"],
    "response_norm": ["inverted_bottleneck"],
    "cosine_schedule": [],
}


def base() -> Spec:
    # Not narrower: with 4 channels oneDNN's convolutions (torch 2.14.1, AVX2) corrupt the heap in
    # backward passes, as plain nn.Conv2d; `torch.backends.mkldnn.enabled = False` cures it.
    return resnet(OLD, depths=(1, 2, 1, 1), width=8, classes=3)


def compose(names) -> Spec:
    spec = base()
    for name in names:
        spec = STEPS[name].apply(spec, **PARAMETERS.get(name, {}))
    return spec


orders = st.permutations(ALL).flatmap(
    lambda order: st.integers(0, len(order)).map(lambda count: tuple(order[:count]))
)


@pytest.mark.slow
@settings(
    max_examples=80, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(orders | st.lists(st.sampled_from(tuple(STEPS)), unique=True, max_size=12))
def test_any_subset_in_any_order_trains_or_names_what_it_needs(names):
    try:
        spec = compose(names)
    except StepError as error:
        assert "step '" in str(error) and "needs" in str(error)
        return
    torch.manual_seed(0)
    network = build(spec.network).train()
    images = torch.randn(4, 3, 32, 32)
    logits = network(images)
    assert logits.shape == (4, 3)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    measured = measured_cost(network, 32)
    walked = cost(spec.network, 32)
    found = {"macs": walked.macs, "params": walked.params, "activations": walked.activations}
    assert found == measured
    again = from_dict(Spec, to_dict(spec))
    assert again == spec
    assert again.fingerprint == spec.fingerprint


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.permutations(ALL))
def test_all_steps_in_any_valid_order_end_at_the_same_network(order):
    try:
        spec = compose(order)
    except StepError as error:
        # Only two things make no sense, and both are said with the step's name.
        assert str(error).startswith(("step 'move_up_depthwise' needs a depthwise",))
        assert order.index("move_up_depthwise") < order.index("depthwise")
        return
    assert order.index("depthwise") < order.index("move_up_depthwise")
    assert spec == compose(ALL)


def _before(name):
    if name == "spatial_stride":
        return resnet(OLD, depths=(1, 2, 1, 1), width=8, classes=3, stride_at="first")
    return compose(BEFORE.get(name, []))


@pytest.mark.parametrize("name", STEPS)
def test_a_step_leaves_its_input_alone_and_changes_something(name):
    before = _before(name)
    data, fingerprint = to_dict(before), before.fingerprint
    after = STEPS[name].apply(before, **PARAMETERS.get(name, {}))
    assert to_dict(before) == data
    assert dataclasses.replace(before).fingerprint == fingerprint
    assert after.fingerprint != fingerprint


@pytest.mark.parametrize("name", OTHERS)
def test_a_step_of_another_paper_trains_and_costs_what_it_says(name):
    """One backward pass, and the cost of the walk against torch's counter."""
    spec = STEPS[name].apply(_before(name), **PARAMETERS.get(name, {}))
    torch.manual_seed(0)
    network = build(spec.network).train()
    logits = network(torch.randn(4, 3, 32, 32))
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    walked = cost(spec.network, 32)
    found = {"macs": walked.macs, "params": walked.params, "activations": walked.activations}
    assert found == measured_cost(network, 32)
    assert (
        from_dict(Spec, to_dict(spec)) == spec
        and Row(number="00", step=name, title="", group="", explanation="", spec=spec).checked()
    )


@pytest.mark.parametrize("name", ["partial_depthwise", "inception_mixer"])
def test_what_a_step_of_another_paper_lacks_is_said(name):
    with pytest.raises(StepError, match=f"step '{name}' needs"):
        compose([name])


@pytest.mark.parametrize("name", STEPS)
def test_a_step_explains_itself(name):
    step = STEPS[name]
    assert len(step.explanation.splitlines()) >= 3
    assert step.title and step.group


@pytest.mark.parametrize("roadmap", ["resnet50", "resnet200", "tiny"])
def test_rows_are_the_papers(roadmap):
    path = load_roadmap(roadmap)
    numbers = [row.number for row in path if not row.is_branch]
    assert numbers == [f"{number:02}" for number in range(14)]
    assert [row.step for row in path if not row.is_branch] == ["resnet", *ALL[:13]]
    branches = [row for row in path if row.is_branch]
    assert [row.number for row in branches] == ["08-k5", "08-k9", "08-k11"]
    assert all(row.before is path["07"] for row in branches)
    assert [row.spec.network.stages[0].block.units[0].kernel for row in branches] == [5, 9, 11]
    assert path["13"].spec.network.layer_scale is not None
    assert path["12"].spec.network.layer_scale is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["move_up_depthwise"], "needs a depthwise convolution .* apply 'depthwise' before it"),
        (["inverted_bottleneck", "inverted_bottleneck"], "is it inverted already"),
        (["depthwise", "move_up_depthwise", "inverted_bottleneck"] * 2, "is it inverted already"),
        (["stage_ratio"], "needs one depth per stage: 4, got \\(1, 2\\)"),
    ],
)
def test_what_makes_no_sense_is_said(names, message):
    spec = base()
    parameters = PARAMETERS | (
        {"stage_ratio": {"depths": [1, 2]}} if "stage_ratio" in names else {}
    )
    with pytest.raises(StepError, match=message):
        for name in names:
            spec = STEPS[name].apply(spec, **parameters.get(name, {}))


def test_a_reference_is_a_spec_too():
    spec = dataclasses.replace(base(), network=Reference(timm="resnet18", classes=3))
    assert from_dict(Spec, to_dict(spec)) == spec


def test_no_kernel_of_the_small_roadmap_meets_only_padding():
    for row in load_roadmap("small"):
        network = plan(row.spec.network, row.spec.recipe.image_size)
        assert network.stages[-1].blocks[-1].branch[-1].outputs[1] == 4
        for layer in network.layers():
            if layer.kind == "convolution":
                positions = range(layer.outputs[1])
                for tap in range(layer.kernel):
                    met = [position * layer.stride - layer.padding + tap for position in positions]
                    assert any(0 <= place < layer.inputs[1] for place in met), (row, layer.name)
