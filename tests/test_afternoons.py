"""The three afternoons of the guide, command by command, as a reader types them."""

import csv
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from experiments.data.fractals import Fractals
from experiments.data.sources import read_source
from roadmap.cli.main import main

GUIDE = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")
PARTS = dict(zip(*[iter(re.split(r"^## (.*)$", GUIDE, flags=re.MULTILINE)[1:])] * 2, strict=True))
(SHORTER,) = re.findall(r"^    (--set .*)$", PARTS["An afternoon with 400 photos"], re.MULTILINE)
HERE = {"train": ["--threads", "1"], "run": ["--threads", "1", "--jobs", "1"]}  # loads torch once
SHAPES = ("ellipse", "rectangle", "triangle", "cross")


def parts_of(afternoon):
    """Yield the files and the commands of an afternoon in order, as (name, text)."""
    text = re.sub(r"\\\n\s+", "", PARTS[afternoon])
    for kind, name, file, command in re.findall(
        r"```(yaml|python)\n# (\S+)\n((?s:.*?))```|^    (roadmap .*)$", text, re.MULTILINE
    ):
        yield (name, file) if kind else ("", command)


def live(afternoon, capsys):
    """Do what an afternoon says. Return what each command printed, by the command."""
    printed = {}
    for name, text in parts_of(afternoon):
        if name:
            Path(name).write_text(text, encoding="utf-8")
            continue
        command, _, target = text.partition(" > ")
        words = shlex.split(command.replace("--seeds 3", "--seeds 2"))[1:]
        shorter = [] if words[0] == "check-data" else shlex.split(SHORTER)
        code = main([*words, *shorter, *HERE.get(words[0], [])])
        told = capsys.readouterr()
        assert code == 0, f"{command}: {told.err}"
        printed[command] = told.out
        if target:
            Path(target).write_text(told.out, encoding="utf-8")
    return printed


def of(printed, start):
    """Return what the commands that start so printed."""
    return "\n".join(text for command, text in printed.items() if command.startswith(start))


def draw(path, shape, random):
    """Write a photo of a coloured shape on a noisy ground."""
    image = Image.fromarray(random.integers(0, 90, (48, 48, 3), dtype=np.uint8))
    pencil = ImageDraw.Draw(image)
    left, top = (int(each) for each in random.integers(4, 20, 2))
    right, bottom = left + int(random.integers(12, 22)), top + int(random.integers(12, 22))
    colour = tuple(int(each) for each in random.integers(150, 256, 3))
    if shape == "ellipse":
        pencil.ellipse((left, top, right, bottom), fill=colour)
    elif shape == "rectangle":
        pencil.rectangle((left, top, right, bottom), fill=colour)
    elif shape == "triangle":
        corners = [(left, bottom), (right, bottom), ((left + right) // 2, top)]
        pencil.polygon(corners, fill=colour)
    else:
        pencil.line((left, top, right, bottom), fill=colour, width=4)
        pencil.line((left, bottom, right, top), fill=colour, width=4)
    image.save(path, quality=85)


@pytest.fixture
def here(tmp_path, monkeypatch, request):
    """A folder with photos of four classes, without a split; it is the current one."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for shape in SHAPES:
        (tmp_path / "photos" / shape).mkdir(parents=True)
        for number in range(request.param):
            draw(tmp_path / "photos" / shape / f"{number:03}.jpg", shape, random)
    read_source.cache_clear()  # another afternoon of this process has a folder of the same name
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("here", [100], indirect=True)
@pytest.mark.filterwarnings("ignore")  # torch.onnx warns about its own parts
def test_an_afternoon_with_400_photos(here, capsys):
    import timm
    import torch

    onnxruntime = pytest.importorskip("onnxruntime")
    torch.save(timm.create_model("convnext_atto").state_dict(), here / "convnext_atto.pth")
    (here / "new-photos").mkdir()
    random = np.random.default_rng(1)
    for shape in SHAPES:
        draw(here / "new-photos" / f"{shape}.jpg", shape, random)
    printed = live("An afternoon with 400 photos", capsys)

    told = of(printed, "roadmap check-data")
    assert "320 training and 80 validation images of 4 classes" in told
    assert "→ 320 images from scratch: expect little; start from weights" in told
    assert re.match(r"\w[^|]*(cannot tell|better|worse)", of(printed, "roadmap verdicts"))
    table = of(printed, "roadmap table")
    assert "convnext_atto.pth" in table and "00 (99.96 % of" in table
    with open("predictions.csv", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [Path(line["image"]).stem for line in lines] == sorted(SHAPES)
    for line in lines:
        assert sum(float(line[shape]) for shape in SHAPES) == pytest.approx(1, abs=1e-3)
    session = onnxruntime.InferenceSession("flowers.onnx")
    (entry,) = session.get_inputs()
    (logits,) = session.run(None, {entry.name: np.zeros((2, 3, 32, 32), np.float32)})
    assert logits.shape == (2, 4)
    records = [json.loads(path.read_text()) for path in here.glob("runs/*/record.json")]
    assert len(records) == 6


@pytest.fixture
def few_fractals(tmp_path, monkeypatch):
    """The data set fractals with 400 training images of its 20 classes, not 5000."""
    few = Fractals(train=20, val=10)
    monkeypatch.setattr(Fractals, "read", classmethod(lambda cls, name, root: few))
    monkeypatch.setenv("ROADMAP_CACHE", str(tmp_path / "cache"))
    read_source.cache_clear()
    yield few
    read_source.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("here", [40], indirect=True)
def test_an_afternoon_with_a_research_question(here, capsys):
    pytest.importorskip("tensorboard")
    printed = live("An afternoon with a research question", capsys)
    assert "stages 3, 4: + squeeze-and-excitation" in of(printed, "roadmap show")
    assert len(list(here.glob("runs/logs/tensorboard/**/events.out.tfevents*"))) >= 12
    records = [json.loads(path.read_text()) for path in here.glob("runs/*/record.json")]
    assert len(records) == 12
    assert sum("brier" in record["metrics"] for record in records) == 6
    assert "Brier" in of(printed, "roadmap verdicts")
    latex = (here / "table.tex").read_text(encoding="utf-8")
    assert r"\begin{tabular" in latex and "Brier score" in latex
    compared = of(printed, "roadmap compare")
    assert "recipe.optimizer=lion" in compared
    for name in ("compare", "effects"):
        assert (here / "figures" / f"{name}.pdf").stat().st_size > 1000


@pytest.mark.slow
def test_an_afternoon_of_a_student(few_fractals, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    printed = live("An afternoon of a student", capsys)
    assert "widths: 24, 48, 96, 192" in of(printed, "roadmap show 05")
    assert "80.50" in of(printed, "roadmap train 05")
    assert "stage 1: unit 2" in of(printed, "roadmap show 01")
    assert "kernel 7 in stage 1" in of(printed, "roadmap table")
    assert len(list(tmp_path.glob("runs/*/record.json"))) == 2
    assert (tmp_path / "figures" / "block-05.svg").exists()
    assert (tmp_path / "figures" / "blocks.svg").exists()
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "kernel 7 in stage 1" in page and "one run of each is no evidence" in page
