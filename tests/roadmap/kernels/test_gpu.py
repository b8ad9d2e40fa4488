"""On a GPU: every row as on the CPU, in float32 and bfloat16; compiled as eager; our kernels."""

import copy

import pytest
import torch
from torch import nn

from roadmap.kernels import choice
from roadmap.kernels.choice import DIRECTIONS, Choice, Shape
from roadmap.kernels.tiles import tiles_to_try
from roadmap.layers import DepthwiseConvolution
from roadmap.network import build
from steps.roadmaps.load import load_roadmap

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
TINY = load_roadmap("tiny")
NUMBERS = [row.number for row in TINY]


@pytest.fixture(autouse=True)
def exact():
    """Products of float32 in float32: the default for convolutions is TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def network_and_images(number):
    torch.manual_seed(0)
    network = build(TINY[number].spec.network).to(memory_format=torch.channels_last)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):
            parameter.data.uniform_(0.5, 1.5)
    for module in network.modules():  # the two devices draw different numbers
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
    images = torch.randn(8, 3, 96, 96).contiguous(memory_format=torch.channels_last)
    return network, images


def loss_and_gradient(network, images, dtype=None):
    """Logits, and the gradient of the mean of their squares by all weights, on the CPU."""
    network.zero_grad()
    with torch.autocast(images.device.type, dtype, enabled=dtype is not None):
        logits = network(images)
    logits.float().square().mean().backward()
    gradient = torch.cat([weight.grad.flatten() for weight in network.parameters()])
    return logits.detach().float().cpu(), gradient.float().cpu()


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


# Norms of the difference over norms: float32 sums in another order; bfloat16 keeps 8 bits, and a
# tiny row has up to 40 layers.
@pytest.mark.parametrize(("dtype", "tolerance"), [(None, 1e-3), (torch.bfloat16, 0.1)])
@pytest.mark.parametrize("number", NUMBERS)
def test_every_row_computes_as_on_the_cpu(number, dtype, tolerance):
    network, images = network_and_images(number)
    expected = loss_and_gradient(copy.deepcopy(network), images)
    found = loss_and_gradient(network.cuda(), images.cuda(), dtype)
    for one, other in zip(found, expected, strict=True):
        assert relative(one, other) < tolerance


@pytest.mark.parametrize("number", ["08", "13"])
def test_compiled_is_eager(number):
    network, images = network_and_images(number)
    network, images = network.cuda(), images.cuda()
    expected = loss_and_gradient(copy.deepcopy(network), images, torch.bfloat16)
    torch._dynamo.reset()
    compiled = torch.compile(network, fullgraph=True)
    found = loss_and_gradient(compiled, images, torch.bfloat16)
    for one, other in zip(found, expected, strict=True):
        assert relative(one, other) < 0.05


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize(
    ("kernel", "stride", "channels", "side"),
    [(7, 1, 96, 28), (7, 1, 64, 7), (3, 2, 40, 15), (5, 2, 24, 14), (11, 1, 32, 9)],
)
def test_our_kernels_are_torchs_convolution(kernel, stride, channels, side, compiled, monkeypatch):
    tiles = [tiles_to_try(direction, kernel)[0] for direction in DIRECTIONS]
    limit = next(each for each in choice.SIDES if side <= each)
    shape = Shape(kernel, stride, limit, channels % 16 == 0, torch.bfloat16)
    name = torch.cuda.get_device_name()
    monkeypatch.setattr(choice, "CHOICES", {name: {shape: Choice(*tiles, least=1)}})
    arguments = {"stride": stride, "padding": kernel // 2, "groups": channels}
    ours = DepthwiseConvolution(channels, channels, kernel, **arguments).cuda()
    plain = nn.Conv2d(channels, channels, kernel, **arguments).cuda()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(4, channels, side, side, device="cuda").to(torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last)
    inputs = [x.clone().requires_grad_(), x.float().requires_grad_()]
    torch._dynamo.reset()
    run = torch.compile(ours, fullgraph=True) if compiled else ours
    with torch.autocast("cuda", torch.bfloat16):
        found = run(inputs[0])
    expected = plain(inputs[1])
    assert found.grad_fn is not None and found.dtype == torch.bfloat16
    gradient = torch.randn_like(expected).to(torch.bfloat16)
    found.backward(gradient)
    expected.backward(gradient.float())
    assert relative(found.float(), expected) < 6e-3
    assert relative(inputs[0].grad.float(), inputs[1].grad) < 6e-3
    assert relative(ours.weight.grad, plain.weight.grad) < 1e-3
    assert relative(ours.bias.grad, plain.bias.grad) < 1e-3


def test_weight_gradients_repeat_bit_by_bit():
    from roadmap.kernels.cases import Case
    from roadmap.kernels.timing import Workload

    problem = Workload(Case(7, 1, 96, 56, batch=16))
    first, second = (problem.ours("weight", tiles_to_try("weight", 7)[0]) for _ in range(2))
    assert torch.equal(first, second)
