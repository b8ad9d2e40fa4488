"""Activations by the name of their class, and faults in operations of a user's own."""

from types import SimpleNamespace

import pytest
import torch

from roadmap.cost import cost
from roadmap.edit import edit_units, insert_after, is_spatial
from roadmap.errors import Problem
from roadmap.kinds import TORCH_ACTIVATIONS
from roadmap.layers import check_layers
from roadmap.network import build
from roadmap.plan import plan
from roadmap.spec import Operation, from_dict, to_dict
from steps.roadmaps.load import load_roadmap


@pytest.fixture(scope="module")
def spec():
    return load_roadmap("tiny")["05"].spec


def built(spec, name):
    made = edit_units(spec, is_spatial, activation=name)
    assert from_dict(type(made), to_dict(made)) == made
    return made, build(made.network)


@pytest.mark.parametrize("name", ["SiLU", "timm.layers.HardMish", "torch.nn.Hardswish"])
def test_any_torch_module_is_an_activation(spec, name):
    made, network = built(spec, name)
    kinds = {type(module).__name__ for module in network.modules()}
    assert name.rpartition(".")[2] in kinds
    count = sum(each.numel() for each in network.parameters())
    assert count == cost(made.network, 48).params
    assert network(torch.zeros(2, 3, 48, 48)).shape == (2, 20)


@pytest.mark.parametrize("name", TORCH_ACTIVATIONS)
def test_every_activation_that_is_listed_can_be_built(spec, name):
    made = edit_units(spec, is_spatial, activation=name)
    check_layers(plan(made.network, 48).layers())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("silu", "input should be 'relu' or 'gelu', CELU.*SiLU.*got 'silu'"),
        ("torch.nn.PReLU", "has learned values"),
        ("nosuch.Thing", "cannot be built: ModuleNotFoundError"),
        ("os.getcwd", "is no class of torch modules"),
        ("rm -rf", "input should be"),
    ],
)
def test_what_is_no_activation(spec, name, message):
    with pytest.raises(Problem, match=message):
        built(spec, name)


def operation(build):
    costs = {"macs": 0, "params": 0, "activations": 0}
    return Operation(operation="mine", build=build, cost=lambda *_: costs)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda channels: channels / 0, "build of operation 'mine' fails: ZeroDivisionError"),
        (lambda channels: "no module", "must return a torch module, not str"),
        (lambda channels: torch.nn.AvgPool2d(99), "operation 'mine' fails on input of shape"),
        (lambda channels: torch.nn.MaxPool2d(2), "the shape must stay"),
    ],
)
def test_a_broken_operation_is_one_line(spec, build, message):
    made = insert_after(spec, is_spatial, operation(build))
    with pytest.raises(Problem, match=message):
        check_layers(plan(made.network, 48).layers())


def test_it_is_found_before_images_are_read(spec, monkeypatch):
    from experiments.training import loop

    made = insert_after(spec, is_spatial, operation(lambda channels: channels / 0))
    with pytest.raises(Problem, match="build of operation 'mine' fails"):
        loop._check_operations(made)
    opened = []
    monkeypatch.setattr(loop, "_open", lambda *_: opened.append(True))

    request = SimpleNamespace(name="05 seed 0", folder=None, seed=0, spec=made)
    job = SimpleNamespace(machine=None, request=request)
    monkeypatch.setattr(loop, "chosen", lambda machine, request: machine)
    with pytest.raises(Problem, match="build of operation 'mine' fails"):
        loop.train_here(job, lambda event: None)
    assert not opened
