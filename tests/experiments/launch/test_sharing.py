"""One optimizer step shared out: in portions, among processes; other ways to compute a run."""

import gc
import shutil
from dataclasses import replace

import pytest
import torch

from experiments.data.sources import read_source
from experiments.data.splits import open_data
from experiments.host.imports import imported_without_gc
from experiments.host.machine import Machine, default_jobs, restore_settings
from experiments.job import Job
from experiments.launch.distributed import _first_host, _meeting_point, train_distributed
from experiments.launch.launchers import run_all
from experiments.launch.run import ignore, train
from experiments.request import Request
from experiments.settings import Settings
from experiments.tasks.classification import Classification, in_order
from experiments.training.checkpoint import read_checkpoint
from experiments.training.receptive_field import receptive_field
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.spec import Spec, from_dict
from steps.roadmaps.load import load_roadmap
from tests.experiments.host.test_gpus import driver

ONE = Machine(threads=1, workers=0, keep="last")
CALM = {  # row 13 with nothing drawn by portion: mixup's ratio is drawn by step
    "recipe.epochs": 3,
    "recipe.batch": 12,
    "recipe.image_size": 32,
    "network.drop_path": 0.0,
    "recipe.learning_rate": 1e-3,
    "recipe.base_batch": 12,
}


def trained(images, runs, machine, row="13", **overrides):
    settings = Settings(
        roadmap="tiny", data=str(images), overrides={**CALM, **overrides}, runs=runs
    )
    request = Request(settings=settings, row=row, seed=0)
    record = train(Job(request=request, machine=machine))
    saved = read_checkpoint(request.folder / "last.ckpt")["state_dict"]
    shutil.rmtree(runs)
    return record, saved


@pytest.fixture(scope="module")
def alone(images, tmp_path_factory):
    return trained(images, tmp_path_factory.mktemp("alone"), ONE)


def assert_the_same(found, expected):
    """Every weight within 2e-4, losses within 1e-4, the same images right; sums round elsewhere.

    AdamW divides small gradients by small gradients, so that rounding shows.
    """
    for name, weight in expected[1].items():
        assert torch.allclose(found[1][name], weight, atol=2e-4, rtol=0), name
    for one, other in zip(found[0].history, expected[0].history, strict=True):
        for key in ("train_loss", "loss"):
            assert one[key] == pytest.approx(other[key], abs=1e-4)
    assert (found[0].top1, found[0].correct) == (expected[0].top1, expected[0].correct)
    assert apart(found[0], expected[0].receptive_field) < 0.02


def apart(record, field):
    """How much of a record's receptive field lies elsewhere than in another."""
    pairs = zip(sum(record.receptive_field.shares, ()), sum(field.shares, ()), strict=True)
    return sum(abs(one - other) for one, other in pairs) / 2


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [2, 3, 6])
def test_portions_make_the_same_steps_as_the_whole_batch(images, tmp_path, alone, accumulate):
    found = trained(images, tmp_path / "runs", replace(ONE, accumulate=accumulate))
    assert_the_same(found, alone)
    assert found[0].provenance.accumulate == accumulate


@pytest.mark.slow
def test_two_processes_make_the_same_steps_as_one(images, tmp_path, alone):
    """15 validation images, an odd number, each counted once."""
    found = trained(images, tmp_path / "runs", replace(ONE, devices=2))
    assert_the_same(found, alone)
    assert found[0].provenance.devices == 2


@pytest.mark.slow
def test_two_processes_in_portions_with_every_part_of_the_recipe_and_batchnorm(images, tmp_path):
    machine = replace(ONE, devices=2, accumulate=3)
    record, _ = trained(images, tmp_path / "runs", machine, row="05", **{"network.drop_path": 0.2})
    assert record.status == "finished" and len(record.history) == 3


@pytest.mark.slow
def test_a_process_that_fails_ends_the_others(images, tmp_path):
    shutil.copytree(images, tmp_path / "images")
    (tmp_path / "images" / "train" / "a" / "3.png").write_bytes(b"broken")
    settings = Settings(
        roadmap="tiny", data=str(tmp_path / "images"), overrides=CALM, runs=tmp_path / "runs"
    )
    request = Request(settings=settings, row="13", seed=0)
    with pytest.raises(Problem, match="3.png cannot be read"):
        train(Job(request=request, machine=replace(ONE, devices=2)))
    assert "3.png cannot be read" in (request.folder / "log.txt").read_text()


def test_what_does_not_fit_the_machine_is_said_before_anything_starts(
    images, tmp_path, monkeypatch
):
    settings = Settings(roadmap="tiny", data=str(images), overrides=CALM, runs=tmp_path / "runs")
    request = Request(settings=settings, row="13", seed=0)
    shared = {"parallel": 1, "command": "test"}
    with pytest.raises(
        Problem, match="batch 12 cannot be shared out among 1 devices × 5 micro-batches"
    ):
        run_all([request], machine=replace(ONE, accumulate=5), **shared)
    with pytest.raises(Problem, match="--devices 999: this machine has "):
        run_all([request], machine=replace(ONE, devices=999), **shared)
    with pytest.raises(Problem, match="needs GPUs"):
        run_all([request], machine=replace(ONE, sync_batchnorm=True), **shared)
    driver(tmp_path, monkeypatch, gpus=3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    with pytest.raises(Problem, match="--devices 3: this machine has 2 GPUs"):
        run_all([request], machine=replace(ONE, devices=3), **shared)
    assert default_jobs() == 2 and default_jobs(devices=2) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_an_average_of_the_weights_is_what_is_validated(images, tmp_path, alone):
    record, saved = trained(images, tmp_path / "runs", ONE, **{"recipe.ema": 0.9})
    for name, weight in alone[1].items():
        assert torch.equal(saved[name], weight), name  # averaging disturbs nothing
    average = {name: saved[name.replace("network.", "averaged.module.", 1)] for name in alone[1]}
    assert any(not torch.equal(average[name], saved[name]) for name in average)
    assert record.loss != alone[0].loss
    spec = from_dict(Spec, record.spec)
    network, data = build(spec.network), open_data(read_source(str(images)), tmp_path)
    fields = []
    for weights in (average, saved):
        own = {
            name.removeprefix("network."): each
            for name, each in weights.items()
            if name.startswith("network.")
        }
        network.load_state_dict(own)
        given = (network, data, spec.recipe, torch.device("cpu"), pytest.fail)
        fields.append(receptive_field(*given))
    assert apart(record, fields[0]) < 0.001 < apart(record, fields[1])


@pytest.mark.slow
def test_bfloat16_trains_close_to_float32(images, tmp_path, alone):
    record, saved = trained(images, tmp_path / "runs", replace(ONE, precision="bf16"))
    assert record.provenance.precision == "bf16"
    assert all(each.dtype == torch.float32 for each in saved.values())
    first = alone[0].history[0]["train_loss"]
    assert record.history[0]["train_loss"] == pytest.approx(first, rel=0.05)
    assert record.loss != alone[0].loss


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_trains_to_the_same_weights(images, tmp_path):
    """Of one block a stage: compiling twelve takes minutes."""
    small = {"network.stages.all.depth": 1, "recipe.epochs": 2}
    eager = trained(images, tmp_path / "eager", ONE, **small)
    found = trained(images, tmp_path / "runs", replace(ONE, compile=True), **small)
    assert set(found[1]) == set(eager[1]) and found[0].provenance.compiled
    for one, other in zip(found[0].history, eager[0].history, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], abs=1e-3)


def test_a_run_goes_on_computing_as_it_began(tmp_path):
    began = restore_settings(replace(ONE, threads=3, accumulate=2), tmp_path)
    (tmp_path / "last.ckpt").touch()
    again = restore_settings(replace(ONE, workers=5), tmp_path)
    assert again == replace(began, workers=5)


def test_a_run_that_began_on_other_nodes_or_processes_says_so(tmp_path, images):
    restore_settings(replace(ONE, nodes=2), tmp_path)
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(Problem, match="started on 2 nodes, not 1: --nodes 2 resumes"):
        restore_settings(ONE, tmp_path)
    network = build(load_roadmap("tiny")["13"].spec.network)
    recipe = load_roadmap("tiny")["13"].spec.recipe
    task = Classification(network, recipe, classes=20, steps_per_epoch=3, seed=0)
    saved: dict = {}
    task.loss_sum, task.loss_count = torch.tensor(2.5), 3
    task.on_save_checkpoint(saved)
    task.loss_sum, task.loss_count = torch.tensor(0.0), 0
    task.on_load_checkpoint(saved)
    assert (task.loss_sum, task.loss_count) == (2.5, 3)
    more = {"sums": saved["train_loss"]["sums"].repeat(2), "count": 3}
    for other in ({}, {"train_loss": more}, {"train_loss": torch.ones(1, 2)}):
        with pytest.raises(Problem, match="use --restart to start over"):
            task.on_load_checkpoint(other)


def test_modules_are_set_aside_once_and_what_runs_leave_behind_is_not():
    before = gc.get_freeze_count()
    with imported_without_gc():
        assert not gc.isenabled()
    assert gc.isenabled() and gc.get_freeze_count() == before
    gc.disable()
    try:
        with imported_without_gc():
            import this  # noqa: F401 - one that nothing here has loaded
        assert gc.get_freeze_count() > before and not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_answers_are_put_in_the_order_of_the_images():
    dealt = [torch.tensor([0, 2, 4]), torch.tensor([1, 3, -1])]
    assert in_order(dealt).tolist() == [0, 1, 2, 3, 4, -1]


def test_several_nodes_meet_where_the_cluster_says(monkeypatch, tmp_path, images):
    settings = Settings(roadmap="tiny", data=str(images), overrides=CALM, runs=tmp_path)
    request = Request(settings=settings, row="13", seed=0)
    machine = replace(ONE, nodes=2)
    for name in ("MASTER_ADDR", "MASTER_PORT", "SLURM_NODELIST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Problem, match="MASTER_ADDR"):
        train_distributed(Job(request=request, machine=machine), ignore)
    monkeypatch.setenv("SLURM_NODELIST", "gpu[03-05,9]")
    address, port = _meeting_point(request, machine)
    assert address == "gpu03" and 20000 <= port < 40000 and _first_host("a7,b") == "a7"
    assert _meeting_point(request, machine)[1] == port
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1234")
    assert _meeting_point(request, machine) == ("10.0.0.1", 1234)


@pytest.mark.slow
def test_a_run_on_one_node_leaves_its_record_whatever_node_that_is(monkeypatch, tmp_path, images):
    """A job array, or `srun` with a seed a node: SLURM numbers the nodes, the runs are apart."""
    monkeypatch.setenv("SLURM_NODEID", "1")
    overrides = {**CALM, "recipe.epochs": 1}
    settings = Settings(roadmap="tiny", data=str(images), overrides=overrides, runs=tmp_path)
    request = Request(settings=settings, row="13", seed=0)
    found = train(Job(request=request, machine=ONE))
    assert found.status == "finished" and request.finished() == found
