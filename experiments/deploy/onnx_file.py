"""Write a network as ONNX, and check the file against torch by onnxruntime."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from torch import nn

from roadmap.errors import Problem
from roadmap.files import put_bytes
from roadmap.network import RoadmapNetwork

OPSET = 18
AUTO = torch.export.Dim.AUTO  # any size, unless the network fixes it
TOLERANCE = 1e-3  # of the largest logit; float32 sums in another order


def write(network: nn.Module, target: Path, metadata: Mapping[str, str], image_size: int) -> None:
    """Write images (n, 3, height, width) → logits (n, classes), for any n and image size.

    A few of timm's models take one image size only.

    Raises Problem, and writes nothing, if onnxruntime computes other logits than torch.
    """
    # The exporter takes a side of 1 for a constant, so no map of the example may be that small.
    side = max(image_size, 96) if isinstance(network, RoadmapNetwork) else image_size
    example = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own parts
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("n"), 2: AUTO, 3: AUTO},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, dict(metadata))
    content = model.SerializeToString()
    difference = largest_difference(network, content, image_size)
    if not difference <= TOLERANCE:
        raise Problem(
            f"onnxruntime and torch differ by {difference:.2g} of the largest logit; "
            "the network cannot be exported as ONNX"
        )
    put_bytes(target, content)


def largest_difference(network: nn.Module, content: bytes, image_size: int) -> float:
    """Return the largest difference of logits over three images, as a share of the largest."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    images = torch.randn(3, 3, image_size, image_size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(images).numpy()
    (found,) = session.run(None, {"images": images.numpy()})
    return float(numpy.abs(found - expected).max() / max(numpy.abs(expected).max(), 1e-9))
