"""`roadmap predict` for detection and segmentation: trained on a small COCO folder, then drawn."""

import csv
import io
import json

import numpy
import pytest
from PIL import Image

from experiments.deploy.found import ENDING
from roadmap.cli.main import main
from tests.experiments.data.annotated import write_coco

SHORT = {"recipe.epochs": 1, "recipe.batch": 2, "recipe.warmup_epochs": 0}
COLUMNS = {
    "detection": ["image", "class", "score", "x1", "y1", "x2", "y2"],
    "segmentation": ["image", "class", "pixels", "share"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp("coco"))


def given(folder, task, runs):
    words = ["--task", task, "--data", str(folder), "--runs", str(runs)]
    return words + [f"--set={key}={value}" for key, value in SHORT.items()]


@pytest.mark.slow
@pytest.mark.parametrize("task", COLUMNS)
def test_a_run_of_a_coco_folder_is_measured_drawn_and_told(task, folder, tmp_path, capsys):
    options = given(folder, task, tmp_path / "runs")
    assert main(["train", "13", *options, "--threads", "1"]) == 0
    said = capsys.readouterr()
    key, label = {"detection": ("box_ap", "box AP"), "segmentation": ("miou", "mIoU")}[task]
    assert f"{label} " in said.err and "top-1" not in said.err
    (path,) = (tmp_path / "runs").glob("*/record.json")
    record = json.loads(path.read_text())
    assert record["top1"] is None and key in record["metrics"]
    assert record["evaluations"][key]["images"] == 3

    (tmp_path / "broken.jpg").write_bytes(b"no image")
    images = [str(folder / "val2017"), str(tmp_path / "broken.jpg")]
    assert main(["predict", "13", *images, *options, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert (
        "broken.jpg" in said.err
        and f"wrote {tmp_path / 'out' / f'1-{ENDING[task]}.png'}" in said.err
    )
    rows = list(csv.reader(io.StringIO(said.out)))
    assert rows[0] == COLUMNS[task]
    assert {row[0] for row in rows[1:]} <= {str(folder / f"val2017/{n}.jpg") for n in (1, 2, 3)}
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert {f"{number}-{ENDING[task]}.png" for number in (1, 2, 3)} <= drawn
    if task == "segmentation":
        classes = numpy.asarray(Image.open(tmp_path / "out" / "1-classes.png"))
        assert classes.shape == numpy.asarray(Image.open(folder / "val2017/1.jpg")).shape[:2]
        shares = [float(row[3]) for row in rows[1:] if row[0].endswith("/1.jpg")]
        assert sum(shares) == pytest.approx(1, abs=1e-5)

    assert main(["predict", "13", images[0], *options, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["image"] for one in told] == [str(folder / f"val2017/{n}.jpg") for n in (1, 2, 3)]


def test_out_is_refused_before_anything_is_read(tmp_path, capsys):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    image, runs = str(tmp_path / "a.png"), ["--runs", str(tmp_path / "runs")]
    assert main(["predict", "13", image, "--out", str(tmp_path / "out"), *runs]) == 2
    assert "--out is for drawn boxes, masks and label maps" in capsys.readouterr().err
    task = ["--task", "detection"]
    assert main(["predict", "13", image, "--out", image, *task, *runs]) == 2
    assert "is a file; give a folder for the drawn images" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
