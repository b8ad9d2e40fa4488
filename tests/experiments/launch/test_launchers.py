"""Launchers: one that is added from outside, workers that die, and what is kept afterwards."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from experiments.deploy.export import export
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.launch import sharing
from experiments.launch.launchers import LAUNCHERS, run_all
from experiments.launch.prune import leftovers, prune
from experiments.launch.run import train
from experiments.launch.sharing import choose_jobs, runs_per_gpu
from experiments.launch.worker import Worker, collect, started
from experiments.request import Request
from experiments.settings import Settings
from experiments.training.checkpoint import read_checkpoint, write_checkpoint
from experiments.training.weights import WEIGHTS
from roadmap.cli.main import main
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.record import Asked, read_record
from tests.experiments.launch.tasks_of_workers import fail, say_and_wait

RECORDS = Path(__file__).parents[3] / "results" / "tiny"
ROOT = Path(__file__).parents[3]
ONE = Machine(threads=1, workers=0)
SHORT = {"recipe.epochs": 1, "recipe.batch": 12, "recipe.image_size": 32}


def request(images, runs, row="13", seed=0, roadmap="tiny", **overrides):
    settings = Settings(
        roadmap=roadmap, data=str(images), overrides={**SHORT, **overrides}, runs=runs
    )
    return Request(settings=settings, row=row, seed=seed)


@pytest.mark.slow
def test_a_launcher_is_one_function_and_one_line(images, tmp_path, monkeypatch):
    taken = []

    def backwards(jobs, *, parallel, observe):
        """As a cluster's would: it hands out jobs, and yields what becomes of each."""
        for job in reversed(jobs):
            taken.append((job.name, parallel))
            try:
                yield job, train(job, observe)
            except Exception as error:
                yield job, error

    monkeypatch.setitem(LAUNCHERS, "backwards", backwards)
    asked = [request(images, tmp_path, seed=seed) for seed in (0, 1)]
    outcome = run_all(asked, parallel=7, machine=ONE, command="", launcher="backwards")
    assert [record.identity.seed for record in outcome.records] == [0, 1]
    assert taken == [(asked[1].name, 7), (asked[0].name, 7)]


@pytest.mark.parametrize(
    ("command", "asked"), [("roadmap train 05 --runs r\udcff", None), ("", Asked(data="\udcff"))]
)
def test_what_no_record_can_hold_is_refused_before_anything_is_trained(command, asked):
    with pytest.raises(Problem, match=r"this command: '.*udcff.*' is not UTF-8, so no record"):
        run_all([], parallel=1, machine=ONE, command=command, asked=asked)


def until(workers, observe=lambda event: None):
    """The first results of workers."""
    while not (found := collect(workers, observe)):
        pass
    return found


@pytest.mark.slow
def test_a_worker_reports_returns_fails_and_dies_apart_from_the_others(tmp_path):
    workers, said = [Worker(), Worker()], []
    with started(workers):
        for worker in workers:
            worker.submit(say_and_wait, str(tmp_path / "go"))
        while len(said) < 2:
            assert not collect(workers, said.append)
        os.kill(workers[0].process.pid, signal.SIGKILL)
        ((worker, result),) = until(workers)
        assert worker is workers[0] and str(result) == "its process was killed by SIGKILL"
        (tmp_path / "go").touch()
        assert until(workers) == [(workers[1], "done")]
        workers[1].submit(fail, "why")
        ((_, result),) = until(workers)
        assert isinstance(result, Problem) and str(result) == "why"
    assert not any(worker.process.is_alive() for worker in workers)


@pytest.mark.slow
def test_no_worker_hears_an_interrupt():
    """In a fresh process: there, the first start also starts Python's resource tracker."""
    code = (
        "from experiments.launch.worker import Worker, collect, started\n"
        "workers = [Worker(), Worker()]\n"
        "with started(workers):\n"
        "    for worker in workers:\n"
        "        worker.submit(id)\n"
        "    while any(worker.busy for worker in workers):\n"
        "        collect(workers, print)\n"
        "    for worker in workers:\n"
        "        print(open(f'/proc/{worker.process.pid}/status').read())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    masks = re.findall(r"^SigBlk:\t(\w+)", done.stdout, re.MULTILINE)
    assert [int(mask, 16) >> (signal.SIGINT - 1) & 1 for mask in masks] == [1, 1]


def test_workers_end_when_the_code_that_uses_them_fails(tmp_path):
    workers = [Worker(), Worker()]
    with pytest.raises(ValueError, match="harm"), started(workers):
        raise ValueError("harm")
    assert not any(worker.process.is_alive() for worker in workers)


@pytest.mark.parametrize("variables", [
    {"SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_PROCID": "1", "SLURM_LOCALID": "1",
     "SLURM_NODEID": "0", "SLURM_JOB_NAME": "job"},
    {"LOCAL_RANK": "1", "RANK": "1", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x",
     "MASTER_ADDR": "nowhere", "MASTER_PORT": "1", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2"},
])  # fmt: skip
@pytest.mark.slow
def test_a_run_does_not_guess_from_what_launchers_leave_in_the_environment(
    images, tmp_path, monkeypatch, variables, capsys
):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "srun").touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert train(Job(request=request(images, tmp_path), machine=ONE)).status == "finished"
    shown = capsys.readouterr()
    assert "srun" not in shown.out + shown.err


def files(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["last", "weights", "none"])
def test_what_is_kept_of_a_finished_run_is_a_choice(images, tmp_path, keep):
    asked = request(images, tmp_path, **{"recipe.ema": 0.9})
    train(Job(request=asked, machine=Machine(threads=1, workers=0, keep=keep)))
    kept = {"last": {"last.ckpt"}, "weights": {WEIGHTS}, "none": set()}[keep]
    assert files(asked.folder) & {"last.ckpt", "before.ckpt", WEIGHTS} == kept
    target = tmp_path / "out.safetensors"
    if keep == "none":
        with pytest.raises(Problem, match="has no weights"):
            export(asked, target)
        return
    export(asked, target)
    network = build(asked.spec.network)
    network.load_state_dict(load_file(target))
    if keep == "last":
        saved = read_checkpoint(asked.folder / "last.ckpt")["state_dict"]
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, saved[f"averaged.module.{name}"]), name


@pytest.mark.slow
def test_prune_removes_what_finished_runs_no_longer_need_and_nothing_else(images, tmp_path):
    runs = tmp_path / "runs"
    kept = Machine(threads=1, workers=0, keep="last")
    done, again = request(images, runs), request(images, runs, seed=1)
    for asked in (done, again):
        train(Job(request=asked, machine=kept))
    export(done, tmp_path / "before.safetensors")
    unfinished = runs / "0123456789ab"
    unfinished.mkdir()
    (unfinished / "last.ckpt").touch()
    (runs / "figures").mkdir()
    (runs / "figures" / "last.ckpt").touch()
    again.set_aside()
    aside = next(runs.glob("*.aside-1"))
    listed = leftovers(runs)
    assert {leftover.path for leftover in listed} == {
        aside, *(done.folder / name for name in ("last.ckpt", "before.ckpt")
                 if (done.folder / name).exists())
    }  # fmt: skip
    assert all(leftover.bytes > 10_000 for leftover in listed) and aside.exists()
    assert list(prune(runs).removed) == listed
    assert not aside.exists() and (unfinished / "last.ckpt").exists()
    assert (runs / "figures" / "last.ckpt").exists()
    assert {"record.json", WEIGHTS} <= files(done.folder) and "last.ckpt" not in files(done.folder)
    export(done, tmp_path / "after.safetensors")
    before, after = (load_file(tmp_path / f"{name}.safetensors") for name in ("before", "after"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert leftovers(runs) == [] and not prune(runs).removed
    assert [leftover.path.name for leftover in leftovers(runs, "none")] == [WEIGHTS]


def test_prune_touches_no_folder_that_is_not_of_a_run(tmp_path):
    photos, empty = tmp_path / "photos.aside-1", tmp_path / "mine"
    for folder in (photos, empty):
        folder.mkdir()
    (photos / "family.jpg").touch()
    assert leftovers(tmp_path) == [] and not prune(tmp_path).removed
    assert files(photos) == {"family.jpg"} and files(empty) == set()


@pytest.mark.parametrize("removals", range(4))
def test_a_killed_prune_is_completed_by_the_next_one(tmp_path, monkeypatch, removals):
    """Killed after so many removals: of two files, of the lock, of the folder."""
    aside = tmp_path / "0123456789ab.aside-1"
    aside.mkdir()
    for name in ("last.ckpt", "lock", "record.json"):
        (aside / name).touch()
    left, remove, rmtree = [removals], Path.unlink, shutil.rmtree

    def unlink(path, **options):
        if path.parent == aside:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        remove(path, **options)

    def remove_tree(path):
        unlink(path / "lock")
        if not left[0]:
            raise KeyboardInterrupt
        rmtree(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", unlink)
        patched.setattr("experiments.launch.prune.shutil.rmtree", remove_tree)
        with pytest.raises(KeyboardInterrupt):
            prune(tmp_path)
    assert [leftover.path for leftover in prune(tmp_path).removed] == [aside]
    assert not aside.exists()


def test_a_run_that_finishes_while_prune_lists_it_is_left_out(tmp_path, monkeypatch):
    (record,) = RECORDS.glob("05-*-seed0.json")
    own = tmp_path / read_record(record).identity.run
    own.mkdir()
    shutil.copy(record, own / "record.json")
    for name in ("last.ckpt", "before.ckpt"):
        (own / name).touch()
    there = Path.exists

    def exists(path, **options):
        """Whether a file exists; the run then removes its last checkpoint."""
        found = there(path, **options)
        if path == own / "last.ckpt":
            path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "exists", exists)
    assert [leftover.path for leftover in leftovers(tmp_path)] == [own / "before.ckpt"]


def test_prune_names_a_damaged_checkpoint_and_prunes_the_other_runs(tmp_path, capsys):
    """The first and the last of the folders are damaged; the one between them is not."""
    names = []
    for record in RECORDS.glob("05-*-seed*.json"):
        names.append(read_record(record).identity.run)
        (tmp_path / names[-1]).mkdir()
        shutil.copy(record, tmp_path / names[-1] / "record.json")
    first, *between, last = (tmp_path / name for name in sorted(names))
    for folder in (first, last):
        (folder / "last.ckpt").write_bytes(b"damaged")
    for folder in between:
        saved = {"identity": {}, "state_dict": {"network.x": torch.zeros(3)}}
        write_checkpoint(saved, folder / "last.ckpt")
    assert between and main(["prune", "--runs", str(tmp_path)]) == 1
    for folder in between:
        assert WEIGHTS in files(folder) and "last.ckpt" not in files(folder)
    messages = capsys.readouterr().err.splitlines()
    for folder, message in zip((first, last), messages, strict=True):
        assert f"run {folder.name} is not pruned: {folder}/last.ckpt is damaged" in message
        assert "--keep none" in message and (folder / "last.ckpt").exists()


def test_prune_keeps_checkpoints_where_the_record_is_of_another_run(tmp_path):
    (record,) = RECORDS.glob("05-*-seed0.json")
    other, own = tmp_path / "0123456789ab", tmp_path / read_record(record).identity.run
    for folder in (other, own):
        folder.mkdir()
        shutil.copy(record, folder / "record.json")
        (folder / "last.ckpt").touch()
    (own / "lock").symlink_to(tmp_path / "elsewhere")
    assert [leftover.path for leftover in prune(tmp_path, "none").removed] == [own / "last.ckpt"]
    assert (other / "last.ckpt").exists() and not (tmp_path / "elsewhere").exists()


def test_small_runs_share_a_gpu_and_large_ones_do_not(images, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.launch.sharing.gpus", lambda: ["0", "1"])
    monkeypatch.setattr("experiments.host.machine.gpus", lambda: ["0", "1"])
    monkeypatch.setattr("experiments.launch.sharing.gpu_memory", lambda: 80 << 30)
    monkeypatch.setattr("experiments.launch.sharing.cores", lambda: 64)
    small = [request(images, tmp_path, row=row) for row in ("00", "13")]
    assert runs_per_gpu(small) == 8 and choose_jobs(small) == 16
    assert choose_jobs(small, devices=2) == 1
    large = request(
        images, tmp_path, roadmap="resnet50", **{"recipe.image_size": 224, "recipe.batch": 36}
    )
    assert runs_per_gpu([*small, large]) == 1 and choose_jobs([large]) == 2
    monkeypatch.setattr("experiments.launch.sharing.cores", lambda: 12)
    assert runs_per_gpu(small) == 3
    monkeypatch.setattr("experiments.launch.sharing.gpu_memory", lambda: 4 << 30)
    assert runs_per_gpu(small) == 2
    monkeypatch.setattr("experiments.launch.sharing.gpus", list)
    assert runs_per_gpu(small) == 1


def test_a_short_measurement_decides_how_many_runs_share_a_gpu(images, tmp_path, monkeypatch):
    for name in ("launch.sharing.gpus", "host.machine.gpus"):
        monkeypatch.setattr(f"experiments.{name}", lambda: ["0"])
    monkeypatch.setattr("experiments.launch.sharing.gpu_memory", lambda: 80 << 30)
    monkeypatch.setattr("experiments.launch.sharing.cores", lambda: 64)
    rows = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "13")
    asked = [request(images, tmp_path, row=row) for row in rows]
    speeds, lines = {1: 1000.0, 2: 1900.0, 4: 2500.0, 8: 0.0}, []  # eight do not fit
    monkeypatch.setattr(sharing, "throughput", lambda request, runs: speeds[runs])
    assert choose_jobs(asked) == 8 and not lines
    assert choose_jobs(asked, say=lines.append) == 4
    assert lines[-1] == "a short measurement: 1,000 images/s by 1 run on a GPU, 2,500 by 4"
    speeds |= {2: 1100.0, 4: 1150.0}
    assert choose_jobs(asked, say=lines.append) == 1
    lines.clear()
    assert choose_jobs(asked[:1], say=lines.append) == 8 and not lines  # there is one run only


@pytest.mark.slow
def test_throughput_is_that_of_real_runs_side_by_side(images, tmp_path):
    asked = request(images, tmp_path, row="13")
    assert sharing.throughput(asked, 2) > 0
    assert not any(tmp_path.iterdir())
    unknown = request(images, tmp_path, row="timm:nothing")
    assert sharing.throughput(unknown, 1) == 0
