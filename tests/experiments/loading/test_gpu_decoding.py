"""JPEG files decoded on a device: the images that timm makes, except small differences.

Here torchvision's CPU decoder stands in for its CUDA decoder, which has the same interface.
"""

import re
import shutil

import pytest
import torch
from PIL import Image

from experiments.data.folder import Folder
from experiments.data.images import BrokenImage
from experiments.data.splits import Statistics, open_data
from experiments.host.events import Message
from experiments.host.machine import Machine, differences, restore_settings
from experiments.job import Job
from experiments.loading import loaders
from experiments.loading.gpu_decoding import Decoded, decode
from experiments.loading.loaders import Loading, choose_loading, train_loader
from experiments.loading.packet import Packet
from experiments.loading.samplers import Share
from experiments.loading.views import Streamed
from experiments.request import Request
from experiments.settings import Settings
from experiments.training.loop import train_here
from roadmap.cli.main import main
from roadmap.edit import replace
from roadmap.errors import Problem
from steps.recipes.load import load_recipe
from tests.experiments.data.made import pictures

CPU = torch.device("cpu")
NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, NO_CUDA])]
RECIPE = replace(load_recipe("imagenet-enhanced"), image_size=32)


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory):
    """Two classes of JPEG files of several sizes, one in grey; 20 for training, 6 to validate."""
    root = tmp_path_factory.mktemp("jpegs")
    for number, array in enumerate(pictures(26)):
        folder = root / ("train" if number < 20 else "val") / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(array)
        (image.convert("L") if number == 4 else image).save(folder / f"{number:02}.jpg", quality=95)
    return root


@pytest.fixture
def split(jpegs):
    return open_data(Folder.read(str(jpegs), None)).train


KEYS = [(epoch, index) for epoch in (0, 1) for index in range(20)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("erasing", [0.0, 1.0])
def test_images_are_those_of_timm_up_to_rounding(split, device, interpolation, erasing):
    changes = {"interpolation": interpolation, "erasing": erasing, "randaugment": None}
    given = (split, replace(RECIPE, **changes), 3, Statistics())
    expected, labels = Streamed(*given)[KEYS]
    decoded = Decoded(*given, torch.device(device))
    images, same = decoded.finish(Packet.pack(decoded.pick(KEYS)).to(decoded.device).unpack())
    assert images.device.type == device and torch.equal(same.cpu(), labels)
    assert images.is_contiguous(memory_format=torch.channels_last)
    levels = (images.cpu() - expected).abs() * 0.226 * 255
    limit = 1.0 if device == "cpu" else 3.0  # of 255; another image differs by about 80
    assert levels.mean() < limit, levels.mean()


@pytest.mark.parametrize("device", DEVICES)
def test_operations_of_randaugment_are_those_of_timm(split, device):
    given = (split, RECIPE, 3, Statistics())
    expected, _ = Streamed(*given)[KEYS]
    decoded = Decoded(*given, torch.device(device))
    images, _ = decoded.finish(Packet.pack(decoded.pick(KEYS)).to(decoded.device).unpack())
    levels = (images.cpu() - expected).abs() * 0.226 * 255
    assert levels.flatten(1).mean(1).median() < 4
    other, _ = Streamed(*given)[[(epoch + 2, index) for epoch, index in KEYS]]
    assert ((other - expected).abs() * 0.226 * 255).flatten(1).mean(1).median() > 20


def test_loading_processes_and_fewer_images_change_nothing(jpegs):
    data = open_data(Folder.read(str(jpegs), None))
    kept = data.train.only([3, 4, 5, 9])
    assert [file.name for file in kept.files] == [data.train.files[i].name for i in (3, 4, 5, 9)]
    batches = []
    for workers in (0, 2):
        loading = Loading(held=False, decode="gpu", workers=workers)
        recipe = replace(RECIPE, batch=4)
        batches.append(list(train_loader(data, recipe, 1, share=Share(), loading=loading)))
    assert len(batches[0]) == 5
    for (one, label), (other, same) in zip(*batches, strict=True):
        assert torch.equal(one, other) and torch.equal(label, same)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("png", "not PNG in RGB; prepare-data writes a copy that it can read"),
        ("cmyk", "not JPEG in CMYK; prepare-data writes"),
        ("text", "its format is none of"),
        ("half", "cannot be decoded on the GPU: .*; --decode cpu may read it"),
    ],
)
def test_a_file_that_a_gpu_cannot_decode_is_named(jpegs, tmp_path, kind, message):
    root = tmp_path / "odd"
    shutil.copytree(jpegs, root)
    file = root / "train/a/02.jpg"
    image = Image.open(file).copy()
    if kind == "png":
        image.save(file, "PNG")
    elif kind == "cmyk":
        image.convert("CMYK").save(file)
    else:
        file.write_bytes(b"none" if kind == "text" else file.read_bytes()[:900])
    split = open_data(Folder.read(str(root), None)).train
    views = Decoded(split, RECIPE, 0, Statistics(), CPU)
    with pytest.raises(BrokenImage, match=f"02.jpg .*{message}"):
        views[[(0, 0), (0, 1), (0, 2)]]


def job(data, runs, **machine):
    overrides = {"recipe.epochs": 1, "recipe.batch": 10, "recipe.image_size": 32}
    settings = Settings(roadmap="tiny", data=str(data), overrides=overrides, runs=runs)
    request = Request(settings=settings, row="13", seed=0)
    request.folder.mkdir(parents=True, exist_ok=True)
    return Job(request=request, machine=Machine(threads=1, workers=0, **machine))


@pytest.mark.parametrize("device", DEVICES)
def test_the_plan_and_the_record_say_what_decoded(jpegs, tmp_path, monkeypatch, device):
    if device == "cpu":
        monkeypatch.setattr(loaders, "_check_decoding", lambda data, recipe: None)
    said = []

    def observe(event):
        if isinstance(event, Message):
            said.append(event.text)

    record = train_here(job(jpegs, tmp_path, decode="gpu"), observe)
    text = "those of training decoded on the GPU (pixels differ from Pillow's)"
    assert text in record.provenance.images and text in said[-1]
    assert record.status == "finished"


def test_it_is_refused_in_one_line(jpegs, images, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("experiments.host.machine.gpus", list)
    given = ["train", "13", "--runs", str(tmp_path), "--set", "recipe.batch=10"]
    given += ["--decode", "gpu", "--data"]
    assert main([*given, str(jpegs)]) == 2
    error = capsys.readouterr().err
    assert "--decode gpu needs an NVIDIA GPU" in error and error.count("\n") == 1
    monkeypatch.setattr("experiments.host.machine.gpus", lambda: ["0"])
    for data, more, words in (
        (str(images), (), "0.png is none; prepare-data writes"),
        ("fractals", (), "data fractals has none"),
        (str(jpegs), ("--images", "memory"), "leave out --images memory"),
    ):
        assert main([*given, data, *more]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1, error
    assert not list(tmp_path.iterdir())
    data = open_data(Folder.read(str(jpegs), None))
    machine = Machine(threads=1, workers=0, decode="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(Problem, match="a GPU that torch can use"):
            choose_loading(data, RECIPE, machine)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert choose_loading(data, RECIPE, machine) == Loading(held=False, decode="gpu", workers=0)
    with pytest.raises(Problem, match="this recipe's augmentation"):
        plain = {"flip": 0.0, "randaugment": None, "erasing": 0.0}
        choose_loading(data, replace(RECIPE, crop_scale=None, **plain), machine)


def test_a_resumed_run_decodes_as_at_its_first_start(tmp_path):
    first = Machine(threads=1, workers=0, precision="32", compile=False)
    restore_settings(first, tmp_path)
    (tmp_path / "last.ckpt").touch()
    asked = Machine(threads=1, workers=0, precision="32", compile=False, decode="gpu")
    assert restore_settings(asked, tmp_path).decode == "cpu"
    assert "resumes with decode cpu" in differences(asked, first)[0]
    text = (tmp_path / "machine.yaml").read_text()
    (tmp_path / "machine.yaml").write_text(re.sub("decode: cpu\n", "", text))  # an older run's
    assert restore_settings(first, tmp_path) == first


def test_the_decoder_gives_no_warning(jpegs):
    content = bytearray((jpegs / "train/a/04.jpg").read_bytes())
    (image,) = decode([torch.frombuffer(content, dtype=torch.uint8)], CPU)
    assert image.dtype == torch.uint8 and image.shape[0] == 3


def test_the_last_batch_is_resized_before_the_next_is_decoded(monkeypatch):
    """torchvision's decoder writes on a stream of its own, into memory that may be in use."""
    calls = []

    class Stream:
        def synchronize(self):
            calls.append("waited")

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    monkeypatch.setattr("torchvision.io.decode_jpeg", lambda *_, **__: calls.append("decoded"))
    decode([], torch.device("cuda"))
    assert calls == ["waited", "decoded"]
