"""Which depthwise convolutions run as our kernels: those measured to be faster on this GPU.

`faster.json` holds measurements by GPU; `python -m roadmap.kernels.measure` writes it. A GPU
without an entry uses that of another one of the same compute capability: an H200 that of an H100.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from roadmap.kernels.tiles import Tile

DIRECTIONS = ("forward", "input", "weight")
SIDES = (2, 4, 8, 16, 32, 64, 128, 256)  # a class of shapes: maps up to this height and width
TABLE = Path(__file__).with_name("faster.json")


class Shape(NamedTuple):
    """A class of shapes that share a choice."""

    kernel: int
    stride: int
    side: int
    aligned: bool  # channels are a multiple of 16
    dtype: torch.dtype


class Choice(NamedTuple):
    """The tile for the output and each gradient; None leaves it to cuDNN."""

    forward: Tile | None
    input: Tile | None
    weight: Tile | None
    least: int  # channels · height · width of the smallest map that was faster


def shape_class(x: Tensor, kernel: int, stride: int, dtype: torch.dtype) -> Shape | None:
    """Return the class of a convolution of x (batch, channels, height, width); None: too large."""
    _, channels, height, width = x.shape
    for side in SIDES:
        if height <= side and width <= side:
            return Shape(kernel, stride, side, channels % 16 == 0, dtype)
    return None


def choose(x: Tensor, kernel: int, stride: int, dtype: torch.dtype) -> Choice | None:
    """Return the choice for a convolution of x (batch, channels, height, width) on a GPU.

    None, which means cuDNN, if no measurement on this kind of GPU found ours faster.
    """
    shape = shape_class(x, kernel, stride, dtype) if CHOICES else None
    if shape is None:
        return None
    choice = CHOICES.get(measured_gpu(x.device.index), {}).get(shape)
    if choice is None or x.shape[1] * x.shape[2] * x.shape[3] < choice.least:
        return None
    return choice


@cache
def gpu_name(index: int) -> str:
    """Return the name of a GPU, such as "NVIDIA H100 80GB HBM3". Tests replace this function."""
    return torch.cuda.get_device_name(index)


@cache
def gpu_capability(index: int) -> str:
    """Return the compute capability of a GPU, such as "9.0"; "" without CUDA."""
    if not torch.cuda.is_available():
        return ""
    return ".".join(map(str, torch.cuda.get_device_capability(index)))


@torch.compiler.assume_constant_result
def measured_gpu(index: int) -> str:
    """Return the GPU whose measurements hold for this one; "" if there are none.

    Its own come first, then those of the first GPU by name with the same compute capability.
    """
    name = gpu_name(index)
    if name in CHOICES:
        return name
    capability = gpu_capability(index) if CAPABILITIES else ""
    like = sorted(gpu for gpu, own in CAPABILITIES.items() if own == capability)
    return like[0] if capability and like else ""


def in_words(index: int) -> str:
    """Say whose measurements choose the depthwise kernels; "" if cuDNN computes all of them."""
    name, measured = gpu_name(index), measured_gpu(index)
    if not measured:
        return ""
    own = measured == name
    return "depthwise kernels as measured" + (
        "" if own else f" on {measured}, of the same compute capability"
    )


def read_capabilities(path: Path) -> dict[str, str]:
    """Return the compute capability of each GPU in a table of measurements, if it is known."""
    table: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    known = {gpu: measured.get("capability", "") for gpu, measured in table.items()}
    return {gpu: capability for gpu, capability in known.items() if capability}


def read_choices(path: Path) -> dict[str, dict[Shape, Choice]]:
    """Return the choices in a table of measurements, by the GPU's name."""
    table: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {
        gpu: {_shape(entry): _choice(entry) for entry in measured["choices"]}
        for gpu, measured in table.items()
    }


def _shape(entry: dict[str, Any]) -> Shape:
    dtype = getattr(torch, entry["dtype"])
    return Shape(entry["kernel"], entry["stride"], entry["side"], entry["aligned"], dtype)


def _choice(entry: dict[str, Any]) -> Choice:
    forward, of_input, of_weight = (
        Tile(*entry[name]) if entry.get(name) else None for name in DIRECTIONS
    )
    return Choice(forward, of_input, of_weight, least=entry["least"])


CHOICES = read_choices(TABLE) if find_spec("triton") else {}
CAPABILITIES = read_capabilities(TABLE) if find_spec("triton") else {}
