"""`roadmap evaluate`: more than top-1 of trained networks, in records, tables and verdicts."""

import json
import re
import shutil
from pathlib import Path

import numpy
import pytest
import torch

from experiments.measuring.numbers import all_numbers
from experiments.measuring.own import read_measures
from roadmap.cli.main import main
from roadmap.evaluation import pack_scores, unpack_scores
from roadmap.record import read_records

pytestmark = pytest.mark.slow  # they read runs that are trained for them

SHORT = ["--set", "recipe.epochs=1", "--set", "recipe.batch=8", "--set", "recipe.image_size=32"]


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory):
    """Rows 00 and 01 of tiny with two seeds, trained for one epoch of 36 images."""
    runs = tmp_path_factory.mktemp("evaluated") / "runs"
    rows = ["--rows", "00,01", "--seeds", "2", "--jobs", "1", "--threads", "1"]
    where = ["--data", str(images), "--runs", str(runs)]
    assert main(["run", *rows, *SHORT, *where]) == 0
    return runs


@pytest.fixture
def runs(trained, tmp_path):
    """A copy of the runs that a test can change."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


def evaluate(runs, *more):
    return main(["evaluate", *more, *SHORT, "--runs", str(runs), "--threads", "1"])


def records(runs):
    return read_records(runs).records


def test_its_own_validation_images_give_the_accuracy_of_the_record(runs, images, capsys):
    assert evaluate(runs, "--data", str(images)) == 0
    assert "in its record" not in capsys.readouterr().err
    for record in records(runs):
        assert "top1" not in record.metrics and record.evaluations.keys() <= record.metrics.keys()
        recalls = [record.metrics[f"recall:{name}"] for name in "abc"]
        assert numpy.mean(recalls) == pytest.approx(record.metrics["mean_recall"], abs=1e-4)
        assert min(recalls) == pytest.approx(record.metrics["worst_recall"], abs=1e-4)
        assert numpy.mean(recalls) == pytest.approx(record.top1, abs=1e-3)  # classes are even
        assert 0 <= record.metrics["calibration_error"] <= 100
        assert record.metrics["train_top1"] >= 0  # what training wrote stays


def test_other_images_sizes_and_crops_get_keys_of_their_own(runs, images, tmp_path, capsys):
    other = tmp_path / "more photos"
    for name in "abc":
        shutil.copytree(images / "train" / name, other / name)
    assert evaluate(runs, "00", "--data", str(other), "--image-size", "40", "--crop", "0.9") == 0
    (one, _) = (record for record in records(runs) if record.label.row == "00")
    key = "top1@more-photos-40px-crop0.9"
    evaluation = one.evaluations[key]
    assert evaluation.images == 36 and evaluation.data_name == "more photos"
    assert (evaluation.image_size, evaluation.crop) == (40, 0.9)
    assert evaluation.label == "top-1 on more photos at 40 px with crop 0.9"
    scores = unpack_scores(evaluation.scores)[:36]
    assert 100 * sum(scores) / 36 == pytest.approx(one.metrics[key], abs=1e-4)
    assert all(not r.evaluations for r in records(runs) if r.label.row != "00")
    capsys.readouterr()
    assert main(["table", *SHORT, "--runs", str(runs), "--measure", key, "--format", "csv"]) == 0
    line = next(row for row in capsys.readouterr().out.splitlines() if row.startswith("00,"))
    assert f"{one.metrics[key]:.3f}"[:4] in line or line.split(",")[7] == "2"


MINE = """
import torch

def brier(logits, labels):
    truth = torch.nn.functional.one_hot(labels, logits.shape[1])
    return ((logits.softmax(1) - truth) ** 2).sum(1)

brier.better = "lower"
brier.label = "Brier score"

def weights(network):
    return sum(p.numel() for p in network.parameters())

def brightest(network, batches):
    return max(float(images.max()) for images, labels in batches)

def _helper(logits, labels):
    return 0
"""


def test_a_users_own_measures_reach_tables_and_verdicts(runs, images, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(MINE)
    given = ["--data", str(images), "--measures", str(tmp_path / "mine.py")]
    assert evaluate(runs, *given) == 0
    record = records(runs)[0]
    brier = record.evaluations["brier"]
    assert brier.better == "lower" and brier.label == "Brier score" and brier.source
    scores = unpack_scores(brier.scores)
    assert len(scores) == 15
    assert numpy.mean(scores) == pytest.approx(record.metrics["brier"], rel=1e-3)
    assert record.metrics["weights"] == record.params
    assert record.metrics["brightest"] > 0 and "_helper" not in record.metrics
    capsys.readouterr()
    shown = ["--runs", str(runs), *SHORT, "--measure", "brier"]
    assert main(["table", *shown]) == 0
    assert "Brier score" in capsys.readouterr().out
    assert main(["verdicts", *shown, "--format", "json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert first["difference"] is not None
    assert first["images_low"] - 1e-6 <= first["difference"] <= first["images_high"] + 1e-6
    assert main(["table", *shown, "--format", "latex"]) == 0
    assert "Brier score" in capsys.readouterr().out
    assert evaluate(runs, *given) == 0
    assert "4 of 4 runs have these measures already" in capsys.readouterr().err
    (tmp_path / "mine.py").write_text(MINE + "\n# changed\n")
    assert evaluate(runs, "00", *given) == 0
    capsys.readouterr()
    assert main(["table", *shown]) == 2
    assert "by other code in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1", "has no public function with parameters (logits, labels)"),
        ("def f(logits, labels): return 1\nf.better = 'up'", "not 'higher' or 'lower'"),
        ("import nothing_there", "ModuleNotFoundError"),
        ("def f(logits, labels): return logits", "returned a tensor of shape (15, 3)"),
        ("def f(logits, labels): return float('nan')", "with inf or nan"),
        ("def f(logits, labels): return 1 / 0", "measure f fails: ZeroDivisionError"),
        ("def f(logits, labels): return 1 + 2j", "must return a number"),
        ("def f(logits, labels): return labels[:0]", "must return a number"),
        ("class E(BaseException): pass\ndef f(logits, labels): raise E", "measure f fails: E"),
        ("def f(logits, labels): return 1\nf.label = '\\x1b[31m'", "label is '\\x1b[31m'"),
        ("def f(logits, labels): return 1\nf.unit = '\\n%'", "unit is '\\n%'"),
    ],
)
def test_faults_of_own_measures_are_named(runs, images, tmp_path, text, fault, capsys):
    (tmp_path / "mine.py").write_text(text)
    given = ["--data", str(images), "--measures", str(tmp_path / "mine.py")]
    assert evaluate(runs, "00", *given) == 2
    assert fault in capsys.readouterr().err
    assert all(not record.evaluations for record in records(runs))


def test_a_measure_that_changes_the_network_changes_no_other(runs, images, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def first(network):\n    for each in network.parameters(): each.data.zero_()\n"
        "    return 0\n"
        "def second(network):\n    return sum(e.abs().sum() for e in network.parameters())\n"
    )
    given = ["--data", str(images), "--measures", str(tmp_path / "mine.py")]
    assert evaluate(runs, "00", *given) == 0
    changed = [record.metrics["second"] for record in records(runs) if record.evaluations]
    assert changed and all(value > 0 for value in changed)


@pytest.mark.parametrize(
    "given", [("--image-size", "100000"), ("--crop", "1e-300"), ("--crop", "0.0001")]
)
def test_sizes_that_need_too_much_memory_are_refused(runs, images, given):
    try:
        code = evaluate(runs, "00", "--data", str(images), *given)
    except SystemExit as wrong:
        code = wrong.code
    assert code == 2


def test_what_does_not_fit_is_named(runs, images, tmp_path, capsys):
    other = tmp_path / "two"
    for name in "ab":
        shutil.copytree(images / "val" / name, other / f"{name}x")
    faults = {
        ("--data", str(other)): "class 'ax' of data two is none of the 3 classes",
        ("--data", "fractals"): "class '0' of data fractals is none of the 3 classes",
        ("05", "--data", str(images)): "unknown row with finished runs '05'",
        ("--data", str(images), "--corruptions", "rain"): "unknown corruption 'rain'",
        ("--data", str(images), "--crop", "2"): "not a fraction between 0 and 1",
    }
    for arguments, fault in faults.items():
        try:
            code = evaluate(runs, *arguments)
        except SystemExit as end:
            code = end.code
        assert code == 2 and fault in capsys.readouterr().err
    for path in runs.glob("*/weights.safetensors"):
        path.unlink()
    assert evaluate(runs, "--data", str(images)) == 2
    assert "no run in" in capsys.readouterr().err


def test_training_images_are_not_evaluated_by_mistake(runs, images, tmp_path, capsys):
    assert evaluate(runs, "00") == 2
    said = capsys.readouterr().err
    assert f"was trained on data {images.name}, not fractals; --data names" in said
    shutil.copytree(images / "train", tmp_path / "photos")
    data = ["--data", str(tmp_path / "photos")]
    divided, where = ["--val-fraction", "0.25"], ["--runs", str(tmp_path / "more")]
    assert main(["train", "00", *SHORT, *data, *divided, *where, "--threads", "1"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "00", *SHORT, *data, *where, "--threads", "1"]) == 2
    assert "give --val-fraction 0.25 --split-seed 0, as for run" in capsys.readouterr().err
    assert main(["evaluate", "00", *SHORT, *data, *divided, *where, "--threads", "1"]) == 0
    (record,) = records(tmp_path / "more")
    assert record.evaluations["mean_recall"].images == record.data["val"] == 9


def test_some_of_the_classes_are_matched_by_name(runs, images, tmp_path):
    for name in "bc":
        shutil.copytree(images / "val" / name, tmp_path / "some" / name)
    assert evaluate(runs, "00", "--data", str(tmp_path / "some")) == 0
    assert evaluate(runs, "00", "--data", str(images)) == 0
    record = next(record for record in records(runs) if record.label.row == "00")
    for name in "bc":
        assert record.metrics[f"recall:{name}@some"] == record.metrics[f"recall:{name}"]
    assert "recall:a@some" not in record.metrics


def test_statistics_of_the_training_images_are_needed_on_other_images(images, tmp_path, capsys):
    own = [*SHORT, "--set", "recipe.statistics=data", "--threads", "1"]
    where = ["--runs", str(tmp_path / "runs")]
    assert main(["train", "00", *own, *where, "--data", str(images)]) == 0
    for name in "abc":
        shutil.copytree(images / "val" / name, tmp_path / "other" / name)
    given = ["evaluate", "00", *own, *where, "--data", str(tmp_path / "other")]
    assert main(given) == 2
    assert "name them with --trained-on" in capsys.readouterr().err
    assert main([*given, "--trained-on", str(images)]) == 0
    (record,) = records(tmp_path / "runs")
    assert record.metrics["top1@other"] == pytest.approx(record.top1, abs=1e-3)


def test_a_timm_model_is_evaluated_like_a_row(images, tmp_path):
    where = ["--runs", str(tmp_path / "runs"), "--threads", "1", "--data", str(images)]
    assert main(["train", "timm:test_resnet", *SHORT, *where]) == 0
    assert main(["evaluate", "timm:test_resnet", *SHORT, *where]) == 0
    (record,) = records(tmp_path / "runs")
    assert record.metrics["mean_recall"] == pytest.approx(record.top1, abs=1e-3)


def test_accuracy_under_corruptions(runs, images):
    names = "contrast,jpeg_compression"
    assert evaluate(runs, "00", "--data", str(images), "--corruptions", names) == 0
    record = next(record for record in records(runs) if record.label.row == "00")
    evaluation = record.evaluations["corrupted:contrast"]
    scores = unpack_scores(evaluation.scores)[:15]
    assert {round(5 * score, 1) for score in scores} <= {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}
    assert 100 * numpy.mean(scores) == pytest.approx(record.metrics["corrupted:contrast"], rel=1e-2)
    assert "corrupted" not in record.metrics  # that is the mean of all fifteen


def test_known_logits_give_known_numbers():
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    labels = torch.tensor([0, 0, 1, 1])
    numbers = {one.key: one.value for one in all_numbers(logits, labels, ["x", "y"])}
    assert numbers["top1"] == 75.0 and numbers["top5"] == 100.0
    assert numbers["recall:x"] == 100.0 and numbers["recall:y"] == 50.0
    assert numbers["mean_recall"] == 75.0 and numbers["worst_recall"] == 50.0
    confidence = torch.tensor([2.0, 0.0]).softmax(0)[0].item()
    assert numbers["calibration_error"] == pytest.approx(100 * abs(confidence - 0.75), abs=1e-3)


@pytest.mark.parametrize("scores", [[1, 0, 1], [0.0] * 9, [0.25, 0.5, 1.0], [1.0]])
def test_scores_survive_as_text(scores):
    assert list(unpack_scores(pack_scores(scores)))[: len(scores)] == pytest.approx(scores)
    quarters = list(unpack_scores(pack_scores(scores, parts=4)))[: len(scores)]
    assert quarters == pytest.approx(scores)


def test_old_records_are_written_as_before(tmp_path):
    from roadmap.record import read_record, write_record

    path = Path("results/tiny/00-resnet-seed0.json")
    write_record(read_record(path), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_the_measures_of_the_guide_are_read_and_computed(tmp_path):
    guide = (Path(__file__).parents[3] / "docs" / "guide.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(# mine.py\n.*?)```", guide, re.DOTALL)
    (tmp_path / "mine.py").write_text(block)
    brier, largest = read_measures(tmp_path / "mine.py")
    assert (brier.name, brier.label, brier.better) == ("brier", "Brier score", "lower")
    logits, labels = torch.tensor([[9.0, -9.0], [0.0, 0.0]]), torch.tensor([0, 1])
    assert brier.call(logits, labels).tolist() == pytest.approx([0, 0.5], abs=1e-6)
    assert largest.call(torch.nn.Linear(2, 2).requires_grad_(False)) > 0
