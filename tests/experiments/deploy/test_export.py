"""Every format is opened by the program that it is for, and gives the same logits."""

import json
import os
import warnings
from pathlib import Path

import numpy
import onnxruntime
import pytest
import timm
import torch
from safetensors import safe_open

from experiments.deploy.export import export
from experiments.deploy.finished import open_finished
from experiments.deploy.formats import FORMATS, choose_format
from experiments.deploy.loading import load
from roadmap.errors import Problem

IMAGES = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
CARD = {
    "row": "13 separate_downsampling", "classes": 3, "class_names": ["a", "b", "c"],
    "image_size": 32, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    "interpolation": "bicubic", "crop": 1.0, "license": "cc-by-4.0",
}  # fmt: skip


def loaded(lines):
    """What the printed lines make: they are run as they are."""
    names = {"images": IMAGES}
    exec("\n".join(lines), names)
    return names


def check_card(card, request):
    values = {key: _value(text) for key, text in card.items()}
    assert {key: values[key] for key in CARD} == CARD
    record = request.finished()
    assert values["top1"] == pytest.approx(record.top1)
    assert values["spec"] == record.identity.spec and values["spec_values"] == record.spec


def _value(text):
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


@pytest.fixture(scope="module")
def expected(finished):
    network = open_finished(finished()).network
    with torch.inference_mode():
        return network(IMAGES)


def test_safetensors(finished, expected, tmp_path):
    target = tmp_path / "a.safetensors"
    lines = export(finished(), target, license="cc-by-4.0")
    assert len(lines) == 3
    assert torch.equal(loaded(lines)["logits"], expected)
    with safe_open(target, "pt") as file:
        check_card(file.metadata(), finished())


def test_timm_and_hub(finished, expected, tmp_path):
    for format, target in (("timm", tmp_path / "a.safetensors"), ("hub", tmp_path / "folder")):
        lines = export(finished(), target, format=format, license="cc-by-4.0")
        assert len(lines) == 3
        network = loaded(lines)["network"].eval()
        with torch.inference_mode():
            torch.testing.assert_close(network(IMAGES), expected, rtol=0, atol=1e-5)
    found = timm.data.resolve_model_data_config(network)
    assert found["input_size"] == [3, 32, 32] and found["crop_pct"] == 1.0
    assert network.pretrained_cfg["label_names"] == ["a", "b", "c"]
    assert network.pretrained_cfg["license"] == "cc-by-4.0"
    config = json.loads((tmp_path / "folder" / "config.json").read_text())
    check_card(config["roadmap"], finished())


@pytest.mark.slow
def test_a_resnet_goes_to_timm_only_if_its_stem_has_timms_width(finished, tmp_path):
    with pytest.raises(Problem, match=r"resnet50 has .* of the shape .*; use --format safetensors"):
        export(finished("01"), tmp_path / "a.safetensors", format="timm")
    with pytest.raises(Problem, match="no counterpart in timm"):
        export(finished("05"), tmp_path / "folder", format="hub")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_torchscript(finished, expected, tmp_path):
    target = tmp_path / "a.pt"
    lines = export(finished(), target, format="torchscript", license="cc-by-4.0")
    extra = {"card.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = torch.jit.load(target, _extra_files=extra)
        with torch.inference_mode():
            torch.testing.assert_close(network(IMAGES), expected, rtol=0, atol=1e-5)
            assert network(IMAGES[:1, :, :32, :32]).shape == (1, 3)
    check_card(json.loads(extra["card.json"]), finished())
    assert lines[1] == f"network = torch.jit.load({str(target)!r})"


@pytest.mark.slow
def test_onnx_runs_without_torch(finished, tmp_path):
    target = tmp_path / "a.onnx"
    lines = export(finished(), target, format="onnx", license="cc-by-4.0")
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    network = open_finished(finished()).network
    for images in (IMAGES, IMAGES[:1, :, :32, :32], IMAGES[:, :, :, :48]):
        (found,) = session.run(None, {"images": images.numpy()})
        with torch.inference_mode():
            numpy.testing.assert_allclose(found, network(images).numpy(), rtol=0, atol=1e-4)
    check_card(session.get_modelmeta().custom_metadata_map, finished())
    assert lines[0] == "import onnxruntime" and len(lines) == 3


def test_the_ending_decides_the_format(tmp_path):
    for name, format in (
        ("a.safetensors", "safetensors"), ("a", "safetensors"), ("a.onnx", "onnx"),
        ("a.ONNX", "onnx"), ("a.pt", "torchscript"), ("a.mine", "safetensors"),
    ):  # fmt: skip
        assert choose_format(None, tmp_path / name) == format, name
    assert (
        choose_format("hub", tmp_path) == "hub" and choose_format("timm", tmp_path / "a") == "timm"
    )
    for format, name in ((None, "a.pth"), ("onnx", "a.safetensors"), ("safetensors", "a.onnx")):
        with pytest.raises(Problem, match=r"valid: safetensors \(\.safetensors\), timm"):
            choose_format(format, tmp_path / name)
    with pytest.raises(Problem, match="unknown format 'keras'"):
        choose_format("keras", tmp_path / "a")
    with pytest.raises(Problem, match="is a folder; give a file"):
        choose_format(None, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="format hub writes a folder"):
        choose_format("hub", tmp_path / "file")


def test_a_missing_package_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Problem, match=r"onnxruntime: pip install 'modernization-roadmap\[onnx\]'"):
        choose_format("onnx", tmp_path / "a.onnx")
    assert set(FORMATS) == {"safetensors", "timm", "onnx", "torchscript", "hub"}


def test_files_without_a_card_are_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"no")
    with pytest.raises(Problem, match="not readable"):
        load(tmp_path / "a.safetensors")


def test_a_device_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (Path("/dev/null"), tmp_path / "pipe.onnx"):
        with pytest.raises(Problem, match="is a device or a named pipe"):
            choose_format(None, path)
