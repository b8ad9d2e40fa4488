"""Real, short trainings: a folder of images made here, a record at the end."""

import base64
import dataclasses
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy
import pytest
import timm
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from timm.layers import DropPath

from experiments.data.sources import read_source
from experiments.data.splits import Split, Statistics, open_data
from experiments.deploy.export import export
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.launch.launchers import run_all
from experiments.launch.run import train
from experiments.loading.loaders import Loading, evaluation_loader, train_loader
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import EpochSampler, Share
from experiments.loading.views import Evaluated, Streamed
from experiments.request import Request
from experiments.settings import Settings
from experiments.tasks.mixing import mixup
from experiments.tasks.optimizer import make_optimizer, make_schedule
from experiments.training.checkpoint import read_checkpoint
from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.record import read_record, read_records
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap
from tests.program import Program, run

ROOT = Path(__file__).parents[3]
ONE = Machine(threads=1, workers=1, keep="last")
SHORT = {
    "recipe.epochs": 2,
    "recipe.batch": 8,
    "recipe.image_size": 32,
    "recipe.learning_rate": 1e-3,
}


def request(images, runs, row="05", seed=0, **overrides):
    settings = Settings(
        roadmap="tiny", data=str(images), overrides={**SHORT, **overrides}, runs=runs
    )
    return Request(settings=settings, row=row, seed=seed)


def trained(asked):
    return train(Job(request=asked, machine=ONE, command="roadmap train"))


def weights(asked):
    return read_checkpoint(asked.folder / "last.ckpt")["state_dict"]


@pytest.mark.slow
def test_a_run_leaves_one_whole_record(images, tmp_path):
    asked = request(images, tmp_path)
    record = trained(asked)
    assert read_record(asked.folder / "record.json") == record
    assert record.status == "finished"
    assert (record.label.row, record.label.step) == ("05", "width")
    assert record.identity == asked.identity
    assert record.identity.spec == asked.spec.fingerprint
    assert set(record.data["references"]) == {"nearest_neighbour", "nearest_mean"}
    sizes = {"name": images.name, "classes": 3, "train": 36, "val": 15}
    sizes |= {"class_names": ["a", "b", "c"]}
    assert record.data == sizes | {"references": record.data["references"]}
    assert list(record.metrics) == ["train_top1"]  # this data set has no split for selection
    assert len(record.history) == 2
    last = record.history[-1]
    assert (record.top1, record.top5, record.loss) == (last["top1"], last["top5"], last["loss"])
    assert record.top1 * 15 / 100 == pytest.approx(round(record.top1 * 15 / 100), abs=1e-3)
    assert record.params == sum(p.numel() for p in _network(asked).parameters())
    assert record.images_per_second > 0 and record.wall_seconds > 0
    assert record.provenance.threads == 1
    assert torch.backends.cpu.get_cpu_capability() in record.provenance.hardware
    assert record.provenance.versions["torch"].startswith("2.")
    assert read_records(tmp_path).records == (record,)
    assert record.receptive_field.side == 384


@pytest.mark.slow
def test_a_record_says_which_images_were_right(images, tmp_path):
    record = trained(request(images, tmp_path))
    bits = numpy.unpackbits(numpy.frombuffer(base64.b64decode(record.correct), dtype=numpy.uint8))
    assert len(bits) == 16 and not bits[15]  # 15 images
    assert record.top1 == pytest.approx(100 * bits.sum() / 15, abs=1e-3)


@pytest.mark.slow
def test_trained_weights_load_into_timm(images, tmp_path):
    asked = request(images, tmp_path, row="13")
    with pytest.raises(Problem, match="has no weights"):
        export(asked, tmp_path / "row13.safetensors")
    trained(asked)
    export(asked, tmp_path / "row13.safetensors", format="timm")
    theirs = timm.create_model(
        "convnext_tiny",
        depths=(2, 2, 6, 2),
        dims=(24, 48, 96, 192),
        num_classes=3,
        checkpoint_path=str(tmp_path / "row13.safetensors"),
    ).eval()
    with safe_open(tmp_path / "row13.safetensors", "pt") as file:
        assert file.metadata()["row"] == "13 separate_downsampling"
    export(asked, tmp_path / "ours.safetensors")
    ours = _network(asked).eval()
    ours.load_state_dict(load_file(tmp_path / "ours.safetensors"))
    pixels = torch.randn(2, 3, 224, 224)
    assert torch.allclose(ours(pixels), theirs(pixels), rtol=1e-5, atol=1e-5)  # Linear for 1×1


def _network(asked):
    return build(asked.spec.network)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_does_not(images, tmp_path):
    first = request(images, tmp_path / "a", row="13")
    again = request(images, tmp_path / "b", row="13")
    other = request(images, tmp_path / "c", row="13", seed=1)
    records = [trained(each) for each in (first, again, other)]
    same = zip(weights(first).values(), weights(again).values(), strict=True)
    assert all(torch.equal(one, two) for one, two in same)
    assert records[0].loss == records[1].loss != records[2].loss


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(images, tmp_path, monkeypatch):
    asked = request(images, tmp_path)
    record = trained(asked)
    monkeypatch.setattr(
        "experiments.launch.run.train_here", lambda *_: pytest.fail("trained again")
    )
    assert trained(asked) == record
    outcome = run_all([asked], parallel=2, machine=ONE, command="")
    assert outcome.records == (record,) and not outcome.failures


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_at_the_same_bits(images, tmp_path):
    whole = request(images, tmp_path / "whole", row="13", **{"recipe.epochs": 4})
    record = trained(whole)
    cut = request(images, tmp_path / "cut", row="13", **{"recipe.epochs": 4})
    given = [f"--set={key}={each}" for key, each in {**SHORT, "recipe.epochs": 4}.items()]
    given += ["--threads", "1", "--workers", "1", "--runs", tmp_path / "cut"]
    process = Program(["train", "13", "--data", images, *given])
    assert _waited_for((cut.folder / "last.ckpt").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (cut.folder / "record.json").exists()
    resumed = trained(cut)
    same = zip(weights(whole).values(), weights(cut).values(), strict=True)
    assert all(torch.equal(one, two) for one, two in same)
    kept = [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}
        for row in resumed.history
    ]
    expected = [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}
        for row in record.history
    ]
    assert kept == expected


CIFAR = ROOT.parent / "shared" / "data" / "cifar10.zip"


@pytest.mark.slow
@pytest.mark.skipif(
    not CIFAR.exists(), reason="needs cifar10.zip, which is not part of the project"
)
def test_real_photographs_in_a_folder(tmp_path):
    with zipfile.ZipFile(CIFAR) as archive:
        for split, count in (("train", 12), ("val", 4)):
            names = [
                name for name in archive.namelist() if f"/{split}/" in name and name[-1] != "/"
            ]
            taken = Counter()
            for name in names:
                taken[Path(name).parent] += 1
                if taken[Path(name).parent] <= count:
                    archive.extract(name, tmp_path)
    asked = request(tmp_path / "cifar10", tmp_path / "runs", row="13")
    record = trained(asked)
    assert "references" in record.data and record.data["train"] == 120
    assert (record.data["name"], record.data["classes"], record.data["val"]) == ("cifar10", 10, 40)
    assert record.status == "finished"


def _waited_for(found):
    until = time.monotonic() + 120
    while not found() and time.monotonic() < until:
        time.sleep(0.02)
    return found()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"), [("swin_tiny_patch4_window7_224", 64), ("vit_tiny_patch16_224", 32)]
)
def test_any_timm_model_is_a_reference_row(images, tmp_path, name, size):
    short = {"recipe.epochs": 1, "recipe.warmup_epochs": 0, "recipe.image_size": size}
    record = trained(request(images, tmp_path, row=f"timm:{name}", **short))
    assert record.label.row == f"timm:{name}" and record.label.group == "reference"
    assert record.spec["network"]["timm"] == name
    assert record.macs > 1e6 and record.params > 1e6 and record.activations > 1e4
    assert record.receptive_field is None


def test_a_loss_that_is_no_number_ends_as_diverged(images, tmp_path):
    asked = request(images, tmp_path, row="01", **{"recipe.learning_rate": 1e30})
    record = trained(asked)
    assert record.status == "diverged"
    assert record.top1 is None and record.loss is None and record.receptive_field is None
    assert json.loads((asked.folder / "record.json").read_text())["top1"] is None
    (line,) = [
        each for each in (asked.folder / "log.txt").read_text().splitlines() if "diverged" in each
    ]
    assert "at step " in line and "learning rate " in line
    epoch, batch, ids = re.search(r"epoch (\d+), batch (\d+) .* images ([\d, ]+)", line).groups()
    order = EpochSampler(len(read_source(str(images)).samples["train"]), SHORT["recipe.batch"], 0)
    order.resume(int(epoch), int(batch))
    assert [int(each) for each in ids.split(",")] == [index for _, index in next(iter(order))]


@pytest.mark.slow
def test_rows_side_by_side_give_the_bits_of_rows_alone_and_one_failure_stops_no_other(
    images, tmp_path
):
    asked = [request(images, tmp_path / "jobs", row=row) for row in ("00", "13")]
    # Its images are too small for this one, which shows only when it is run.
    bad = request(images, tmp_path / "jobs", row="timm:efficientformer_l1")
    outcome = run_all([asked[0], bad, asked[1]], parallel=2, machine=ONE, command="")
    assert [record.label.row for record in outcome.records] == ["00", "13"]
    assert list(outcome.failures) == [bad.name]
    assert not bad.finished()
    alone = request(images, tmp_path / "alone", row="13")
    trained(alone)
    same = zip(weights(alone).values(), weights(asked[1]).values(), strict=True)
    assert all(torch.equal(one, two) for one, two in same)


@pytest.mark.slow
def test_one_at_a_time_a_failure_stops_no_other_either(images, tmp_path):
    bad = request(images, tmp_path, row="timm:efficientformer_l1")
    outcome = run_all(
        [bad, request(images, tmp_path, row="00")], parallel=1, machine=ONE, command=""
    )
    assert [record.label.row for record in outcome.records] == ["00"]
    assert list(outcome.failures) == [bad.name]


@pytest.mark.slow
def test_own_steps_with_an_operation_train_side_by_side(images, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    steps = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    (tmp_path / "my_steps.py").write_text(steps, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(
        'base: {roadmap: tiny, row: "05"}\nrows:\n  - squeeze_excitation: {ratio: 4}\n'
    )
    settings = Settings(
        roadmap=str(tmp_path / "mine.yaml"),
        steps=tmp_path / "my_steps.py",
        data=str(images),
        overrides={**SHORT, "recipe.epochs": 1},
        runs=tmp_path / "runs",
    )
    asked = [Request(settings=settings, row=row, seed=0) for row in ("00", "01")]
    assert pickle.loads(pickle.dumps(asked[1])).identity == asked[1].identity
    outcome = run_all(asked, parallel=2, machine=ONE, command="")
    assert not outcome.failures
    assert [record.label.step for record in outcome.records] == ["width", "squeeze_excitation"]
    assert outcome.records[1].params > outcome.records[0].params


def test_a_validation_loss_that_is_no_number_ends_as_diverged(images, tmp_path):
    short = {"recipe.epochs": 1, "recipe.warmup_epochs": 0, "recipe.batch": 36}
    record = trained(request(images, tmp_path, row="00", **short, **{"recipe.learning_rate": 1e30}))
    assert record.status == "diverged" and record.top1 is None


@pytest.mark.slow
def test_a_record_that_was_lost_after_the_last_epoch_is_written_again(images, tmp_path):
    asked = request(images, tmp_path)
    record = trained(asked)
    (asked.folder / "record.json").unlink()
    again = trained(asked)
    for name in ("top1", "loss", "history", "correct", "receptive_field"):
        assert getattr(again, name) == getattr(record, name)


def test_the_recipe_reaches_the_images_and_the_network():
    recipe = load_recipe("imagenet-enhanced")
    split = Split(image=lambda index: Image.new("RGB", (300, 260)), labels=numpy.zeros(1))
    views = Streamed(split, recipe, 0, Statistics())
    training = repr(views.transform) + repr(views.augmentation.erasing)
    for part in (
        "RandomResizedCropAndInterpolation(size=(224, 224), scale=(0.08, 1.0)",
        "interpolation=bicubic", "RandomHorizontalFlip(p=0.5)", "RandAugment(n=2", "m=9",
        "mstd=0.5", "RandomErasing(p=0.25, mode=pixel",
    ):  # fmt: skip
        assert part in training, part
    plain = repr(Streamed(split, load_recipe("imagenet-old"), 0, Statistics()).transform)
    assert "RandAugment" not in plain and "RandomErasing" not in plain and "bilinear" in plain
    assert "ColorJitter" not in plain
    evaluation = repr(Evaluated(split, recipe, Statistics(), hold=False).transform)
    assert "Resize(size=256, interpolation=bicubic" in evaluation
    assert "CenterCrop(size=(224, 224))" in evaluation
    mix = mixup(recipe, 10)
    found = (mix.mixup_alpha, mix.cutmix_alpha, mix.switch_prob, mix.label_smoothing, mix.mix_prob)
    assert found == (0.8, 1.0, 0.5, 0.1, 1.0)
    assert mixup(load_recipe("imagenet-old"), 10) is None
    network = build(load_roadmap("resnet50")["13"].spec.network)
    rates = [each.drop_prob for each in network.modules() if isinstance(each, DropPath)]
    assert len(rates) == 18 and rates[0] == 0 and rates[-1] == pytest.approx(0.1)


@pytest.mark.slow
def test_samples_depend_neither_on_workers_nor_on_the_way_and_draw_nothing_globally(images):
    data = open_data(read_source(str(images)), Path("unused"))
    recipe = replace(load_recipe("tiny-enhanced"), batch=8, image_size=32)
    before = torch.get_rng_state(), numpy.random.get_state()[1].copy(), random.getstate()
    ways = [Loading(held=held, workers=workers) for held in (True, False) for workers in (0, 2)]
    batches = []
    for loading in ways:
        loader = train_loader(data.hold(), recipe, 3, share=Share(), loading=loading)
        loader.sampler.set_epoch(1)
        batches.append(list(loader))
        assert len(list(evaluation_loader(data, recipe, share=Share(), loading=loading))) == 1
    for others in batches[1:]:
        for one, other in zip(batches[0], others, strict=True):
            assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == numpy.random.get_state()[1]).all()
    assert before[2] == random.getstate()


def test_an_epoch_is_every_image_once_in_an_order_of_its_own():
    epochs = EpochSampler(24, 8, seed=0)
    orders = []
    for epoch in range(2):
        epochs.set_epoch(epoch)
        keys = [key for batch in epochs for key in batch]
        assert all(found == epoch for found, _ in keys)
        assert sorted(index for _, index in keys) == list(range(24))
        orders.append([index for _, index in keys])
    assert orders[0] != orders[1]
    assert len(list(EpochSampler(23, 8, seed=0))) == 2


def test_drawing_from_a_key_is_repeatable_and_leaves_no_trace():
    state = torch.get_rng_state()
    found = []
    for key in ((1, 2), (1, 2), (2, 1)):
        with isolated_rng():
            seed_rng(*key)
            found.append((torch.rand(3).tolist(), numpy.random.rand(3).tolist()))
    assert found[0] == found[1] != found[2]
    assert torch.equal(state, torch.get_rng_state())


def rates(recipe, steps_per_epoch):
    layer = torch.nn.Linear(2, 2)
    optimizer = make_optimizer(layer, recipe)
    schedule = make_schedule(optimizer, recipe, steps_per_epoch)
    found = []
    for step in range(recipe.epochs * steps_per_epoch):
        schedule.step_update(step)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_learning_rates_of_the_papers_recipes():
    new = rates(load_recipe("imagenet-enhanced"), 10)
    assert new[0] == 0 and new[100] == pytest.approx(2e-3) and new[200] == pytest.approx(4e-3)
    assert new[1600] == pytest.approx((4e-3 + 1e-6) / 2)
    assert new[-1] == pytest.approx(1e-6, rel=0.2)
    old = rates(load_recipe("imagenet-old"), 10)
    found = [old[0], old[299], old[300], old[599], old[600], old[-1]]
    assert found == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_weight_decay_follows_the_recipe():
    block = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    new = make_optimizer(block, load_recipe("imagenet-enhanced"))
    decays = {
        len(p.shape): group["weight_decay"] for group in new.param_groups for p in group["params"]
    }
    assert decays == {1: 0.0, 4: 0.05}
    assert isinstance(new, torch.optim.AdamW)
    old = make_optimizer(block, load_recipe("imagenet-old"))
    assert {group["weight_decay"] for group in old.param_groups} == {1e-4}
    assert isinstance(old, torch.optim.SGD) and not old.param_groups[0]["nesterov"]


@pytest.mark.slow
def test_what_is_finished_is_said_and_not_trained_again(images, tmp_path):
    said, asked = [], [request(images, tmp_path, row=row) for row in ("13", "05")]
    trained(asked[0])
    given = {"parallel": 1, "machine": ONE, "command": "", "say": said.append}
    run_all([asked[0]], **given)
    assert "finished on 20" in said[0] and "--restart" in said[0] and " as row" not in said[0]
    (tmp_path / "mine.yaml").write_text('base: {roadmap: tiny, row: "13"}\nrows: [{gelu: null}]\n')
    settings = dataclasses.replace(asked[0].settings, roadmap=str(tmp_path / "mine.yaml"))
    run_all([Request(settings=settings, row="00", seed=0)], **given)
    assert "as row 13 of tiny" in said[1]
    run_all(asked, **given)
    assert said[2] == "1 of 2 runs are already finished; not trained again"


@pytest.mark.slow
def test_export_names_rows_without_a_counterpart_before_torch_is_loaded(images, tmp_path):
    asked = request(images, tmp_path)
    trained(asked)
    given = [f"--set={key}={each}" for key, each in SHORT.items()]
    code = (
        "import sys; from roadmap.cli.main import main; "
        "print(main(sys.argv[1:]), 'torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, "export", "05", "--timm", "--out", "x", "--data", str(images),
         "--runs", str(tmp_path), *given], cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout == "2 False\n" and "no counterpart in timm" in found.stderr


@pytest.mark.slow
def test_a_study_shares_runs_is_planned_and_spends_seeds_until_decided(images, tmp_path):
    """Two learning rates of one row; the second run finds what the first has trained."""
    (tmp_path / "rates.yaml").write_text(
        'design: sweep\nof: recipe.learning_rate\nvalues: [1e-5, 1e-3]\nrows: ["13"]\nseeds: 1\n'
    )
    small = {**SHORT, "recipe.epochs": 1, "recipe.warmup_epochs": 0}
    del small["recipe.learning_rate"]
    given = [f"--set={key}={each}" for key, each in small.items()]
    given += ["--data", str(images), "--runs", str(tmp_path / "runs")]

    def roadmap(*arguments):
        return run(*arguments, *given, torch=True)

    study = str(tmp_path / "rates.yaml")
    trained_before = roadmap("train", "13", "--threads", "1", "--set=recipe.learning_rate=1e-3")
    assert trained_before.returncode == 0, trained_before.stderr
    plan = roadmap("plan", study)
    assert (
        "2, of which 1 are finished" in plan.stdout
        and "from 1 run with 1 thread on" in " ".join(plan.stdout.split())
    )
    done = roadmap(
        "run", study, "--jobs", "1", "--threads", "1", "--until-decided", "--max-seeds", "2"
    )
    assert done.returncode == 0, done.stderr
    assert (
        "1 of 2 runs are already finished" in done.stderr and "still open; next: 13@" in done.stderr
    )
    assert len(read_records(tmp_path / "runs").records) == 4
    assert "13@0.001" in done.stdout and "verdict" in done.stdout
    refused = roadmap("run", "--until-decided")
    assert refused.returncode == 2 and "for a whole STUDY" in refused.stderr
