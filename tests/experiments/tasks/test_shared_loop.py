"""Detection and segmentation in the loop that classification has: resumed, stopped, shared out."""

import json
import signal

import numpy
import pytest
import torch
from PIL import Image

from experiments.data.sources import read_source
from experiments.data.splits import open_data
from experiments.loading.loaders import Loading, evaluation_loader, train_loader
from experiments.loading.samplers import Share
from experiments.training.checkpoint import LAST, read_checkpoint
from roadmap.edit import replace
from roadmap.record import read_records
from steps.recipes.load import load_recipe
from tests.experiments.data.annotated import annotation, write_coco
from tests.experiments.launch.test_promises import assert_equal, outcome, run_of, wait_for
from tests.program import Program, run

TASKS = ("detection", "segmentation")
SMALL = (
    "recipe.epochs=3", "recipe.batch=4", "network.stages.all.depth=1", "network.drop_path=0.2",
    "recipe.image_size=64",
)  # fmt: skip
SIDES = {"detection": ("recipe.task.short_sides=[48,64]",), "segmentation": ()}


@pytest.fixture(scope="session")
def coco(tmp_path_factory):
    """Ten images of bright rectangles of two classes; five for validation."""
    root = tmp_path_factory.mktemp("coco")
    (root / "annotations").mkdir()
    draw = numpy.random.default_rng(0)
    for split, count in (("train", 10), ("val", 5)):
        (root / f"{split}2017").mkdir()
        images, annotations = [], []
        for number in range(1, count + 1):
            pixels = draw.integers(0, 60, (64, 64, 3)).astype(numpy.uint8)
            for label in (1, 2)[: 1 + number % 2]:
                x, y, w, h = (int(part) for part in draw.integers((4, 4, 12, 12), (30, 30, 28, 28)))
                pixels[y : y + h, x : x + w] = (230, 60, 60) if label == 1 else (60, 230, 60)
                identity = len(annotations) + 1
                annotations.append(annotation(identity, number, label, [x, y, w, h]))
            Image.fromarray(pixels).save(root / f"{split}2017/{number}.png")
            name = f"{number}.png"
            images.append({"id": number, "file_name": name, "width": 64, "height": 64})
        categories = [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        path = root / f"annotations/instances_{split}2017.json"
        path.write_text(json.dumps(content))
    return root


def command(task, coco, runs, *more, row="13"):
    given = [part for setting in (*SMALL, *SIDES[task]) for part in ("--set", setting)]
    usual = {"--threads": "1", "--workers": "0", "--keep": "last"}
    given += [part for pair in usual.items() if pair[0] not in more for part in pair]
    return ("train", row, "--task", task, "--data", coco, "--runs", runs, *given, *more)


def asked(given):
    """The options of a training that a table has too."""
    pairs = list(zip(given, given[1:], strict=False))
    return [part for pair in pairs if pair[0] in ("--task", "--data", "--runs", "--set")
            for part in pair]  # fmt: skip


def finished(*given):
    done = run(*given, torch=True)
    assert done.returncode == 0, done.stderr
    return done


def log(runs):
    folder = run_of(runs)
    path = folder and folder / "log.txt"
    return path.read_text() if path and path.exists() else ""


@pytest.fixture(scope="module")
def untouched(coco, tmp_path_factory):
    """By task, the folder of a run that nothing happens to."""
    folders = {}
    for task in TASKS:
        folders[task] = tmp_path_factory.mktemp(task)
        finished(*command(task, coco, folders[task]))
    return folders


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_run_ends_at_the_same_bits(coco, tmp_path, untouched, task, number):
    given = command(task, coco, tmp_path, "--save-every", "0")
    process = Program(given)
    wait_for(lambda: "epoch 1/3, train loss" in log(tmp_path), process)
    process.send_signal(number)
    process.communicate()
    assert process.wait() == {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143}[number]
    assert not (run_of(tmp_path) / "record.json").exists()
    table = run("table", *asked(given))
    assert "not averaged (epochs done): 13 (seed 0: " in table.stdout, table.stderr
    finished(*given)
    assert "resuming in epoch" in log(tmp_path)
    assert_equal(outcome(tmp_path), outcome(untouched[task]))


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_loading_processes_and_streams_change_no_bit(coco, tmp_path, untouched, task):
    finished(*command(task, coco, tmp_path, "--workers", "2", "--images", "stream"))
    assert_equal(outcome(tmp_path), outcome(untouched[task]))


@pytest.mark.slow
def test_a_record_has_the_numbers_of_its_task_and_a_share_of_each_image(untouched):
    for task, key in (("detection", "box_ap"), ("segmentation", "miou")):
        (record,) = read_records(untouched[task]).records
        assert (record.top1, record.correct, record.data["val"]) == (None, "", 5)
        assert record.history[-1][key] == pytest.approx(record.metrics[key], abs=1e-3)
        assert {f"train_{key}", key} <= record.metrics.keys()
        assert record.evaluations[key].images == 5
        assert record.spec["recipe"]["task"][task]
    assert record.data["classes"] == 3  # the ground is one of them


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_backbone_starts_from_a_finished_classifier(coco, images, tmp_path, task):
    short = ("--set", "recipe.epochs=1", "--set", "recipe.batch=8")
    depth = ("--set", "network.stages.all.depth=1")
    where = ("--data", images, "--runs", tmp_path / "first", "--threads", "1", "--keep", "last")
    finished("train", "13", *where, *short, *depth)
    weights = run_of(tmp_path / "first")
    given = command(task, coco, tmp_path / "second", "--weights", weights)
    finished(*given, "--set", "recipe.freeze=[stem]")
    second = run_of(tmp_path / "second")
    (record,) = read_records(tmp_path / "second").records
    assert record.weights.share > 95  # all but the classifier, which is then removed
    prefix = {"detection": "network.backbone.body.", "segmentation": "network.backbone."}[task]
    first, state = (read_checkpoint(run / LAST)["state_dict"] for run in (weights, second))
    stem = [name for name in first if name.startswith("network.stem.") and "weight" in name]
    assert stem
    for name in stem:  # frozen, so it is the classifier's
        assert torch.equal(first[name], state[prefix + name])
    assert not any("head.classifier" in name for name in state)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_task_starts_from_the_backbone_of_a_finished_run(coco, tmp_path, untouched, task):
    """Of the other task: all layers of the classification network are there."""
    other = TASKS[1 - TASKS.index(task)]
    weights = run_of(untouched[other])
    finished(*command(task, coco, tmp_path, "--weights", weights, "--set", "recipe.freeze=[stem]"))
    (record,) = read_records(tmp_path).records
    assert record.weights.share > 95
    prefixes = {"detection": "network.backbone.body.network.stem.",
                "segmentation": "network.backbone.network.stem."}  # fmt: skip
    first, second = (
        {
            name.removeprefix(prefixes[which]): weight
            for name, weight in read_checkpoint(folder / LAST)["state_dict"].items()
            if name.startswith(prefixes[which]) and "weight" in name
        }
        for which, folder in ((other, weights), (task, run_of(tmp_path)))
    )
    assert first and first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_timm_model_is_a_backbone_too(coco, tmp_path, task):
    one = ("--set", "recipe.epochs=1")
    given = list(command(task, coco, tmp_path, row="timm:resnet10t"))
    keep = [given.index("network.stages.all.depth=1"), given.index("recipe.epochs=3")]
    for place in sorted(keep, reverse=True):
        del given[place - 1 : place + 1]
    finished(*given, *one)
    (record,) = read_records(tmp_path).records
    assert record.label.row == "timm:resnet10t" and record.macs > 0


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_micro_batches_and_a_diverged_run(coco, tmp_path, task):
    finished(*command(task, coco, tmp_path / "two", "--accumulate", "2"))
    wild = run(*command(task, coco, tmp_path / "wild", "--set", "recipe.learning_rate=1e30"))
    (record,) = read_records(tmp_path / "wild").records
    assert wild.returncode == 1 and record.status == "diverged" and not record.metrics


@pytest.mark.slow
@pytest.mark.parametrize(("task", "key"), [("detection", "box_ap"), ("segmentation", "miou")])
def test_two_processes_validate_each_image_once(coco, tmp_path, task, key):
    """What both find together is what one finds of all images at the end."""
    finished(*command(task, coco, tmp_path, "--devices", "2"))
    (record,) = read_records(tmp_path).records
    assert record.provenance.devices == 2
    assert record.history[-1][key] == pytest.approx(record.metrics[key], abs=1e-3)


@pytest.mark.parametrize("task", TASKS)
def test_a_training_image_depends_on_seed_epoch_and_index_alone(coco, task):
    data = open_data(read_source(str(coco)))
    recipe = replace(load_recipe(f"tiny-{task}"), batch=4)
    loading = Loading(held=False)
    views = [
        train_loader(data, recipe, seed, share=Share(), loading=loading).views for seed in (0, 0, 1)
    ]
    first, again, other = (
        view[[(3, index) for index in order]]
        for view, order in zip(views, ((5, 1), (1, 5), (5, 1)), strict=True)
    )
    assert torch.equal(first.images[0], again.images[1])
    target, same = first.targets[0], again.targets[1]
    if task == "detection":
        assert all(torch.equal(target[name], same[name]) for name in target)
        assert target["labels"].min() >= 1 and target["masks"].shape[1:] == (64, 64)
    else:
        assert torch.equal(target, same)
        assert any(not torch.equal(*pair) for pair in zip(first.images, other.images, strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_each_validation_image_is_in_one_process(coco, task):
    data = open_data(read_source(str(coco)))
    recipe = replace(load_recipe(f"tiny-{task}"), batch=4)
    numbers = []
    for rank in (0, 1):
        share = Share(rank=rank, world=2)
        loader = evaluation_loader(data, recipe, share=share, loading=Loading(held=False))
        numbers += [number for batch in loader for number in batch.numbers]
    assert sorted(numbers) == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_a_coco_folder_trains_with_the_papers_recipe_by_one_command(tmp_path):
    """One epoch of two images: the paper's 800 pixels take seconds an image on the CPU."""
    short = ("--set", "recipe.epochs=1", "--set", "recipe.batch=2")
    small = ("--set", "network.stages.all.depth=1")
    coco = write_coco(tmp_path / "coco")
    where = ("--data", coco, "--runs", tmp_path / "runs", "--threads", "1")
    finished("train", "13", "--roadmap", "resnet50", "--task", "detection", *where, *short, *small)
    (record,) = read_records(tmp_path / "runs").records
    task = record.spec["recipe"]["task"]
    assert task["detection"] == "mask_rcnn" and task["short_sides"][-1] == 800
    assert {"box_ap", "mask_ap"} <= record.metrics.keys()
