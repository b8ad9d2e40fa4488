"""Receptive fields of networks whose field is known, and what measuring must not disturb."""

import numpy
import pytest
import torch
from torch import nn

from experiments.data.sources import read_source
from experiments.data.splits import open_data
from experiments.tasks.classification import Classification
from experiments.training.receptive_field import (
    Aim,
    as_trained,
    gradient,
    measured_field,
    mirrored,
    receptive_field,
)
from roadmap.edit import replace
from roadmap.network import RoadmapNetwork, build
from roadmap.spec import Block, Convolution, Network, Reference, Stage, Stem
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap

TINY = load_roadmap("tiny")


def network_of(*kernels, stem=3, stride=1, stages=1):
    """Stem and blocks of plain convolutions, one after another; every weight of the stem is 1."""
    units = tuple(Convolution(kernel=kernel, width="narrow") for kernel in kernels)
    stage = Stage(depth=1, width=1, block=Block(units=units))
    network = build(Network(stem=Stem(kernel=stem, stride=stride), stages=(stage,) * stages))
    for weights in network.parameters():
        nn.init.ones_(weights)
    return network


def pictures(count=2, size=48):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def convolved(field, kernel):
    """A field seen through another square convolution of ones; it must be 0 at its edge."""
    side, half = len(field), kernel // 2
    wide = numpy.pad(field, half)
    places = range(kernel)
    return sum(wide[i : i + side, j : j + side] for i in places for j in places)


def test_a_single_convolution_sees_its_kernel():
    network = network_of(1)
    nn.init.zeros_(network.stages[0].blocks[0].branch[0].weight)
    field = gradient(network, pictures(), 9)
    expected = torch.zeros(9, 9)
    expected[3:6, 3:6] = 3  # colours
    assert torch.equal(field.float(), expected)


def test_convolutions_one_after_another_see_what_theory_says():
    """A block of 3×3 and 5×5 with its shortcut, after a stem of 3×3: 3 * (1 + 3 * 5)."""
    field = gradient(network_of(3, 5), pictures(), 13)
    middle = numpy.zeros((13, 13))
    middle[6, 6] = 1
    branch = convolved(convolved(middle, 5), 3)
    expected = 3 * convolved(branch + middle, 3)
    assert field.numpy() == pytest.approx(expected)
    assert (expected > 0).sum() == 9**2


@pytest.mark.parametrize(("stem", "stride"), [(3, 2), (7, 2), (4, 4), (2, 2)])
def test_a_field_lies_around_the_middle_whatever_the_strides(stem, stride):
    """Strided 3×3 convolutions look up and left of the middle; the field is taken around that."""
    network = network_of(3, stem=stem, stride=stride, stages=3)
    field = gradient(network, pictures(), 96 + stem % 2)
    reach = stem + stride * (2 + 2 + 2 * 2)  # of the three, two look at maps of the stem's size
    assert torch.equal(field, field.flip(0)) and torch.equal(field, field.T)
    assert int((field.sum(0) > 0).sum()) == reach


@pytest.mark.parametrize("name", ["tiny", "cifar", "resnet50"])
@pytest.mark.parametrize("field", [256, 448])
def test_the_field_of_every_row_lies_within_what_is_fed(name, field):
    for row in load_roadmap(name):
        aim = Aim.of(row.spec.network, field)
        assert aim.start >= 0 and aim.start + field <= aim.side, row.number
        assert abs(aim.start + field / 2 - aim.middle) <= 0.5


@pytest.mark.parametrize(("size", "side", "middle"), [(5, 5, 2.5), (4, 31, 15.5), (48, 288, 130.0)])
def test_images_are_mirrored_on_all_sides(size, side, middle):
    images = pictures(2, size)
    before = round(middle - size / 2)
    around = (before, side - size - before)
    expected = numpy.pad(images.numpy(), ((0, 0), (0, 0), around, around), mode="symmetric")
    assert (mirrored(images, side, middle).numpy() == expected).all()


def test_cells_are_sums_of_pixels():
    network, images = network_of(3, stem=4, stride=4), pictures(2, 48)
    found = measured_field(network, images)
    assert found.pixels == 6 and len(found.shares) == 64 and found.side == 384
    pixels = gradient(network, images, 384)
    expected = pixels.unfold(0, 6, 6).unfold(1, 6, 6).sum((2, 3)) / pixels.sum()
    assert numpy.array(found.shares) == pytest.approx(expected.numpy(), rel=1e-3)
    assert measured_field(network, pictures(1, 224)).side == 704  # 11 × 64, 3 × 224 at least


def test_it_is_the_mean_over_images():
    torch.manual_seed(0)
    network, images = build(TINY["04"].spec.network), pictures(2)
    one, other = (gradient(network, each, 64) for each in images.split(1))
    assert not torch.allclose(one, other, rtol=0.1)
    assert torch.allclose(gradient(network, images, 64), (one + other) / 2)


@pytest.mark.parametrize(("size", "reach"), [(4, 1), (8, 3), (12, 5), (16, 7), (48, 7)])
def test_weights_that_only_meet_padding_are_no_part_of_the_field(size, reach):
    """7×7 over maps of 1 to 4 positions and more; each is 4 pixels of the image."""
    network = network_of(7, stem=4, stride=4)
    trained = as_trained(network, size)
    weights = trained.stages[0].blocks[0].branch[0].weight[0, 0]
    expected = torch.zeros(7, 7)
    rest = (7 - reach) // 2
    expected[rest : 7 - rest, rest : 7 - rest] = 1
    assert torch.equal(weights, expected)
    assert torch.equal(network(pictures(2, size)), trained(pictures(2, size)))
    cells = numpy.array(measured_field(network, pictures(2, size)).shares)
    assert (cells.sum(0) > 0).sum() == pytest.approx(4 * reach / 6, abs=2)
    assert torch.equal(network.stages[0].blocks[0].branch[0].weight, torch.ones(1, 1, 7, 7))


@pytest.mark.parametrize("number", ["00", "08-k11", "13"])
def test_images_of_the_training_size_are_seen_as_before(number):
    torch.manual_seed(0)
    network = build(TINY[number].spec.network).eval()
    assert torch.allclose(network(pictures()), as_trained(network, 48)(pictures()), atol=1e-5)


def test_a_large_kernel_sees_more_from_the_start():
    """Row 08 has 7×7 where row 07 has 3×3; the share of the gradient beyond 64 pixels."""
    beyond = {}
    for number in ("07", "08"):
        torch.manual_seed(0)
        network = as_trained(build(TINY[number].spec.network), 48)
        field = gradient(network, pictures(1), 256)
        beyond[number] = float(1 - field[96:160, 96:160].sum() / field.sum())
    assert beyond["08"] > 1.5 * beyond["07"]


def test_measuring_leaves_no_trace():
    torch.manual_seed(0)
    network, state = build(TINY["01"].spec.network).train(), torch.get_rng_state()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    first, second = (gradient(network, pictures(), 64) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(state, torch.get_rng_state())
    assert network.training and all(each.grad is None for each in network.parameters())
    for name, each in network.state_dict().items():
        assert torch.equal(each, before[name])


@pytest.fixture
def data(images):
    return open_data(read_source(str(images)), None)


def test_the_weights_that_are_validated_are_looked_through(data):
    recipe = replace(load_recipe("tiny-enhanced"), ema=0.9)
    network = build(TINY["13"].spec.network)
    task = Classification(network, recipe, classes=3, steps_per_epoch=1, seed=0)
    assert task.validated is task.averaged.module
    plain = replace(recipe, ema=0.0)
    task = Classification(network, plain, classes=3, steps_per_epoch=1, seed=0)
    assert task.validated is network


def test_a_timm_model_has_none_and_one_that_fails_says_why(data, monkeypatch):
    recipe, said, where = load_recipe("tiny-enhanced"), [], torch.device("cpu")
    timm = build(Reference(timm="convnext_atto"))
    assert receptive_field(timm, data, recipe, where, said.append) is None and not said
    network = network_of(3)

    def refuse(self, images):
        raise RuntimeError(f"made for 48 pixels,\n not {images.shape[-1]}")

    with monkeypatch.context() as patched:
        patched.setattr(RoadmapNetwork, "forward_features", refuse)
        assert receptive_field(network, data, recipe, where, said.append) is None
    assert said == ["no receptive field: made for 48 pixels, not 385"]
    nn.init.zeros_(network.stem[0].weight)
    assert receptive_field(network, data, recipe, where, said.append) is None
    assert said[1:] == ["no receptive field: the largest gradient is 0.0"]
