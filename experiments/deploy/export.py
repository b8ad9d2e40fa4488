"""Export a finished run for other programs. Each format carries the run's card."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from experiments.deploy import onnx_file
from experiments.deploy.finished import Finished, as_text, open_finished
from experiments.deploy.timm_model import TimmModel, timm_model, timm_weights
from experiments.request import Request
from roadmap.files import put_bytes, put_text

Lines = list[str]


def export(
    request: Request, target: Path, *, format: str = "safetensors", license: str | None = None
) -> Lines:
    """Write a finished run's network to `target`; return the three lines of Python that load it.

    Raises Problem if the run is not finished or has no weights, or if timm has no such network and
    the format needs that.
    """
    run = open_finished(request)
    target.parent.mkdir(parents=True, exist_ok=True)
    return WRITERS[format](run, target, run.card(license=license))


def _safetensors(run: Finished, target: Path, card: dict[str, Any]) -> Lines:
    """Write the weights under our names; a timm reference row has timm's anyway."""
    _write(target, run.weights, card)
    size = card["image_size"]
    return [
        "from experiments.deploy.loading import load",
        f"network = load({str(target)!r})",
        f"logits = network(images)  # (n, 3, {size}, {size}), normalized",
    ]


def _timm(run: Finished, target: Path, card: dict[str, Any]) -> Lines:
    """Write the weights under timm's names, for timm's default model."""
    model = timm_model(run.spec)
    _write(target, timm_weights(run, model), card)
    given = "".join(f", {key}={value!r}" for key, value in model.arguments.items())
    classes = f"num_classes={card['classes']}"
    return [
        "import timm",
        f"path = {str(target)!r}",
        f"network = timm.create_model({model.name!r}, {classes}{given}, checkpoint_path=path)",
    ]


def _onnx(run: Finished, target: Path, card: dict[str, Any]) -> Lines:
    onnx_file.write(run.portable, target, as_text(card), run.spec.recipe.image_size)
    return [
        "import onnxruntime",
        f"session = onnxruntime.InferenceSession({str(target)!r})",
        'logits = session.run(None, {"images": images})[0]  # float32 (n, 3, height, width)',
    ]


def _torchscript(run: Finished, target: Path, card: dict[str, Any]) -> Lines:
    """Write a traced network; the card is its extra file `card.json`."""
    size = run.spec.recipe.image_size
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch recommends torch.export, which C++ cannot load yet
        traced = torch.jit.trace(run.portable, torch.zeros(2, 3, size, size), check_trace=False)
    extra = {"card.json": json.dumps(card, ensure_ascii=False)}
    put_bytes(target, traced.save_to_buffer(_extra_files=extra))
    return [
        "import torch",
        f"network = torch.jit.load({str(target)!r})",
        f"logits = network(images)  # (n, 3, {size}, {size}), normalized",
    ]


def _hub(run: Finished, target: Path, card: dict[str, Any]) -> Lines:
    """Write a folder that timm opens: the weights and config.json."""
    model = timm_model(run.spec)
    weights = timm_weights(run, model)
    target.mkdir(parents=True, exist_ok=True)
    _write(target / "model.safetensors", weights, card)
    config = json.dumps(_config(model, card), indent=2, ensure_ascii=False)
    put_text(target / "config.json", config + "\n")
    return [
        "import timm",
        f'network = timm.create_model("local-dir:{target}", pretrained=True).eval()',
        "settings = timm.data.resolve_model_data_config(network)  # image size, mean, std",
    ]


def _config(model: TimmModel, card: dict[str, Any]) -> dict[str, Any]:
    """Return timm's description of a model in a folder."""
    size = [3, card["image_size"], card["image_size"]]
    return {
        "architecture": model.name,
        "num_classes": card["classes"],
        "global_pool": "avg",
        "model_args": model.arguments,
        "label_names": card["class_names"],
        "pretrained_cfg": {
            "custom_load": False,
            "input_size": size,
            "fixed_input_size": model.fixed_size,
            "interpolation": card["interpolation"],
            "crop_pct": card["crop"],
            "crop_mode": "center",
            "mean": card["mean"],
            "std": card["std"],
            "num_classes": card["classes"],
            "first_conv": model.first_convolution,
            "classifier": model.classifier,
            "license": card["license"],
        },
        "roadmap": card,
    }


def _write(path: Path, weights: dict[str, Tensor], card: dict[str, Any]) -> None:
    whole = {name: tensor.contiguous() for name, tensor in weights.items()}
    put_bytes(path, save(whole, metadata={"format": "pt", **as_text(card)}))


# By the names in `formats.FORMATS`.
WRITERS: dict[str, Callable[[Finished, Path, dict[str, Any]], Lines]] = {
    "safetensors": _safetensors,
    "timm": _timm,
    "onnx": _onnx,
    "torchscript": _torchscript,
    "hub": _hub,
}
