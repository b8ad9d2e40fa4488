"""The computation of a GPU, forced on the CPU: same results, types and layouts; traceable."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from roadmap.kernels import choice, device
from roadmap.layers import DepthwiseConvolution
from roadmap.network import build
from steps.roadmaps.load import load_roadmap

TINY = load_roadmap("tiny")
ROWS = ("00", "04", "05", "08", "13")
FEW = 2  # images, which no weight's first dimension is
COPIES = ("aten.clone", "aten.copy_", "aten.contiguous", "aten._to_copy")


class Operations(TorchDispatchMode):
    """Counts operations, and copies of maps that change their layout."""

    def __init__(self):
        super().__init__()
        self.counts, self.copies, self.casts = Counter(), [], []

    def __torch_dispatch__(self, operation, types, given=(), named=None):
        result = operation(*given, **(named or {}))
        name = str(operation.overloadpacket)
        self.counts[name] += 1
        is_map = isinstance(result, torch.Tensor) and result.ndim == 4 and result.shape[2] > 1
        if is_map and result.shape[0] == FEW:
            if name in COPIES and given[0].stride() != result.stride():
                self.copies.append((name, tuple(result.shape)))
            if name in COPIES and given[0].dtype != result.dtype:
                self.casts.append((given[0].dtype, result.dtype, tuple(result.shape)))
        return result


def network_and_images(number, gpu, monkeypatch, size=48):
    monkeypatch.setattr(device, "on_gpu", lambda x: gpu)
    unknown = torch.compiler.assume_constant_result(lambda index: "unknown GPU")
    monkeypatch.setattr(choice, "gpu_name", unknown)
    torch.manual_seed(0)
    network = build(TINY[number].spec.network).to(memory_format=torch.channels_last)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):
            parameter.data.uniform_(0.5, 1.5)  # 1e-6 at first, which would hide the branch
    images = torch.randn(4, 3, size, size).contiguous(memory_format=torch.channels_last)
    return network, images


@pytest.mark.slow
@pytest.mark.parametrize("number", [row.number for row in TINY])
def test_every_row_computes_as_on_the_cpu_with_the_same_random_drops(number, monkeypatch):
    results = []
    for gpu in (False, True):
        network, images = network_and_images(number, gpu, monkeypatch)
        loss = network.double()(images.double()).square().mean()
        loss.backward()
        results.append([loss.detach(), *(weight.grad for weight in network.parameters())])
    for ours, plain in zip(*reversed(results), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-7, atol=1e-10)


def counted(number, gpu, monkeypatch):
    """Operations of one training step under autocast in bfloat16; all maps exceed the kernel."""
    network, images = network_and_images(number, gpu, monkeypatch, 256)
    with Operations() as operations:
        with torch.autocast("cpu", torch.bfloat16):
            loss = network(images[:FEW]).square().mean()
        loss.backward()
    return operations


@pytest.mark.slow
def test_row_13_stays_in_bfloat16_and_copies_no_layout(monkeypatch):
    ours, plain = (counted("13", gpu, monkeypatch) for gpu in (True, False))
    assert ours.copies == []
    blocks = sum(stage.depth for stage in TINY["13"].spec.network.stages)
    assert ours.counts["aten.addcmul"] == blocks  # layer scale, drop path and residual
    assert ours.counts["aten.addmm"] == 2 * blocks + 1  # 1×1 convolutions and the classifier
    assert ours.counts["aten.convolution"] == blocks + 4  # depthwise, stem, three downsamplings
    assert len(ours.casts) == 1 < blocks < len(plain.casts)  # the images


@pytest.mark.slow
def test_products_of_matrices_are_used_only_where_they_add_a_bias(monkeypatch):
    """Before a BatchNorm a 1×1 convolution has no bias, and cuDNN's one pass is as good."""
    for number in ("00", "08"):
        ours, plain = (counted(number, gpu, monkeypatch) for gpu in (True, False))
        assert ours.counts["aten.addmm"] == 1  # the classifier
        assert ours.counts["aten.convolution"] == plain.counts["aten.convolution"]


@pytest.mark.slow
@pytest.mark.parametrize("number", ROWS)
def test_no_row_copies_a_layout(number, monkeypatch):
    assert counted(number, True, monkeypatch).copies == []


@pytest.mark.slow
@pytest.mark.parametrize(("number", "gpu"), [("04", True), ("13", True), ("13", False)])
def test_networks_are_traced_by_fx_and_export(number, gpu, monkeypatch):
    network, images = network_and_images(number, gpu, monkeypatch)
    network.eval()
    expected = network(images)
    traced = torch.fx.symbolic_trace(network)
    torch.testing.assert_close(traced(images), expected)
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(network, (images,), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(images), expected)
    torch.testing.assert_close(exported(images[:3]), expected[:3])


@pytest.mark.slow
@pytest.mark.parametrize(("number", "gpu"), [("04", True), ("13", True), ("13", False)])
def test_one_graph_without_breaks_and_one_more_for_another_batch(number, gpu, monkeypatch):
    network, images = network_and_images(number, gpu, monkeypatch)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    network.eval()
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for count in (4, 3, 2):  # the second batch size makes the size dynamic, the third compiles none
        torch.testing.assert_close(compiled(images[:count]), network(images[:count]))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2


def test_depthwise_on_a_gpu_without_a_measurement_is_torchs(monkeypatch):
    monkeypatch.setattr(device, "on_gpu", lambda x: True)
    monkeypatch.setattr(choice, "gpu_name", lambda index: "unknown GPU")
    ours = DepthwiseConvolution(16, 16, 7, padding=3, groups=16)
    x = torch.randn(2, 16, 3, 3)
    assert torch.equal(ours(x), torch.nn.Conv2d.forward(ours, x))
