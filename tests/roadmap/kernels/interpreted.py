"""Run the kernels in Triton's interpreter: `TRITON_INTERPRET=1 python FILE errors|operator`."""

import json
import sys

import torch
from torch import nn

from roadmap.kernels import choice, device
from roadmap.kernels.cases import Case
from roadmap.kernels.choice import DIRECTIONS, Choice, Shape
from roadmap.kernels.tiles import tiles_to_try
from roadmap.kernels.timing import Workload
from roadmap.layers import DepthwiseConvolution


def errors():
    """Print the relative error of every direction and tile of some cases, as JSON lines."""
    for kernel, stride, channels, side, batch in json.load(sys.stdin):
        for dtype in (torch.float32, torch.bfloat16):
            case = Case(kernel, stride, channels, side, batch, dtype)
            problem = Workload(case, "cpu")
            for direction in DIRECTIONS:
                for tile in tiles_to_try(direction, kernel)[:2]:
                    error = problem.error(direction, tile)
                    print(json.dumps([str(case), direction, tile, str(dtype), error]))


def operator():
    """Compare the module by every mix of ours and torch's with plain torch, eager and compiled."""
    device.on_gpu = lambda x: True
    choice.gpu_name = torch.compiler.assume_constant_result(lambda index: "test")
    tile, of_weight = tiles_to_try("forward", 3)[0], tiles_to_try("weight", 3)[0]
    for mix in range(8):
        tiles = [
            each if mix >> bit & 1 else None for bit, each in enumerate((tile, tile, of_weight))
        ]
        chosen = {Shape(3, 1, 8, True, torch.float32): Choice(*tiles, least=1)}
        choice.CHOICES["test"] = chosen
        for compiled in (False, True):
            torch._dynamo.reset()
            _same_as_plain(compiled)
    choice.CHOICES["test"] = {
        Shape(3, 1, 8, True, torch.bfloat16): Choice(tile, tile, of_weight, least=1)
    }
    _traces_under_autocast()
    module = DepthwiseConvolution(16, 16, 3, padding=1, groups=16)
    x = torch.randn(2, 16, 6, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    given = (x, module.weight, module.bias, 1, 1, list(tile), list(tile), list(of_weight))
    torch.library.opcheck(torch.ops.roadmap.depthwise.default, given)
    print("same")


def _same_as_plain(compiled):
    ours = DepthwiseConvolution(16, 16, 3, padding=1, groups=16)
    plain = nn.Conv2d(16, 16, 3, padding=1, groups=16)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 16, 6, 5).contiguous(memory_format=torch.channels_last)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    run = torch.compile(ours, fullgraph=True, backend="aot_eager") if compiled else ours
    outputs = [run(inputs[0]), plain(inputs[1])]
    gradient = torch.randn_like(outputs[1])
    for output in outputs:
        output.backward(gradient)
    torch.testing.assert_close(*outputs)
    assert outputs[0].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def _traces_under_autocast():
    """Compare our kernels in one graph with plain torch, both in bfloat16; the map is float32."""
    ours = DepthwiseConvolution(16, 16, 3, padding=1, groups=16)
    x = torch.randn(2, 16, 6, 5).contiguous(memory_format=torch.channels_last)
    torch._dynamo.reset()
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = compiled(x), nn.Conv2d.forward(ours, x)
    assert found.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
    (of_weight,) = torch.autograd.grad(found.float().sum(), [ours.weight])
    (plain,) = torch.autograd.grad(expected.float().sum(), [ours.weight])
    torch.testing.assert_close(of_weight, plain, rtol=0.02, atol=0.05)


if __name__ == "__main__":
    {"errors": errors, "operator": operator}[sys.argv[1]]()
