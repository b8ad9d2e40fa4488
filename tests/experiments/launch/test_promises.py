"""The promises of docs/reliability.md: the real program, as a process of its own, is harmed.

Most processes are copies of one that has imported torch (`tests.program`), which saves four seconds
each. What the untouched run leaves, to which the others are compared, comes from a fresh process.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from experiments.training.checkpoint import BEFORE, LAST, newest, read_checkpoint, write_checkpoint
from roadmap.record import read_record
from tests.program import Program

pytestmark = pytest.mark.slow  # each test starts the program, mostly several times
ROOT = Path(__file__).parents[3]
LONG = bool(os.environ.get("ROADMAP_LONG"))
HARSH = (  # every kind of randomness there is: mixup, cutmix, erasing, drop path; and an average
    "recipe.epochs=5", "recipe.batch=4", "recipe.image_size=32", "recipe.learning_rate=1e-3",
    "recipe.mixup=0.8", "recipe.cutmix=1.0", "recipe.erasing=0.25", "network.drop_path=0.2",
    "recipe.ema=0.9", "network.stages.all.depth=1",
)  # fmt: skip


def command(images, runs, *more, row="13"):
    given = [part for setting in HARSH for part in ("--set", setting)]
    usual = {"--threads": "1", "--workers": "2", "--images": "stream", "--keep": "last"}
    given += [part for pair in usual.items() if pair[0] not in more for part in pair]
    return [
        sys.executable, "-m", "roadmap", "train", row, "--data", str(images), "--runs", str(runs),
        *given, *more,
    ]  # fmt: skip


def longer(given):
    """The same run of more epochs, which has not ended by itself before it is stopped."""
    return ["recipe.epochs=24" if each == "recipe.epochs=5" else each for each in given]


def hear_signals():
    """As a terminal starts a program: background jobs ignore Ctrl-C, those of nohup SIGHUP."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(*given):
    assert given[:3] == (sys.executable, "-m", "roadmap")
    return Program(given[3:])


def start_afresh(*given):
    return subprocess.Popen(
        given, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=hear_signals,
    )  # fmt: skip


def finish(*given, start=start):
    process = start(*given)
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def run_of(runs):
    """The one run's folder, once there is one."""
    found = [path for path in runs.glob("*") if path.is_dir() and "aside" not in path.name]
    return found[0] if found else None


def wait_for(condition, process, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def read_until(process, text):
    """Read what a process says until it says this."""
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"ended without {text!r}")


def has_checkpoint(runs):
    return lambda: bool(run_of(runs)) and (run_of(runs) / LAST).exists()


def outcome(runs):
    """All of a run that must be equal: weights, optimizer, average, metrics, results."""
    folder = run_of(runs)
    record = json.loads((folder / "record.json").read_text())
    saved = read_checkpoint(folder / LAST)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for row in (*rows, *record["history"]):
        del row["seconds"], row["images_per_second"]
    kept = (
        "identity", "top1", "top5", "loss", "correct", "history", "metrics", "evaluations",
        "receptive_field",
    )  # fmt: skip
    return {
        "weights": saved["state_dict"],
        "optimizer": saved["optimizer_states"],
        "step": saved["global_step"],
        "rows": rows,
        **{key: record.get(key) for key in kept},
    }


def assert_equal(one, other, where=""):
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_equal(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            assert_equal(first, second, f"{where}[{index}]")
    else:
        assert one == other, where


@pytest.fixture(scope="module")
def untouched_runs(images, tmp_path_factory):
    """The folder of the run that nothing happens to. Tests that change it take a copy."""
    runs = tmp_path_factory.mktemp("untouched")
    code, _, errors = finish(*command(images, runs), start=start_afresh)
    assert code == 0, errors
    return runs


@pytest.fixture(scope="module")
def untouched(untouched_runs):
    """What becomes of the run that nothing happens to."""
    return outcome(untouched_runs)


@pytest.fixture
def done(untouched_runs, tmp_path):
    """A copy of the folder of the run that nothing happens to."""
    return Path(shutil.copytree(untouched_runs, tmp_path / "done"))


@pytest.mark.parametrize("kills", [3] + ([1] * 10 + [4] * 5) * LONG)
def test_a_run_killed_at_any_moment_ends_at_the_same_bits(images, tmp_path, untouched, kills):
    """SIGKILL at random moments of training, `kills` times in one run; each time it resumes.

    In the steps, before the first checkpoint, while one is saved or renamed, in validation.
    """
    given = command(images, tmp_path, "--save-every", "0")
    moment, hit = random.Random(time.time_ns()), 0
    for number in range(kills):
        process = start(*given)
        wait_for(lambda begun=number: _log(tmp_path).count("learning rate") > begun, process)
        time.sleep(moment.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (run_of(tmp_path) / "record.json").exists():
            break
        hit += 1
    assert hit  # while it trained
    code, _, errors = finish(*given)
    assert code == 0, errors
    assert_equal(outcome(tmp_path), untouched)
    assert not list(run_of(tmp_path).glob("*.partial"))


def test_a_kill_between_two_renames_leaves_a_checkpoint(images, halted, untouched):
    folder = run_of(halted)
    (folder / LAST).rename(folder / "last.partial")  # the old one is `before`, the new not yet here
    code, _, errors = finish(*command(images, halted))
    assert code == 0, errors
    assert_equal(outcome(halted), untouched)
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize(
    ("number", "every"),
    [(signal.SIGTERM, "60"), (signal.SIGUSR1, "0"), (signal.SIGHUP, "60")],
)
def test_a_warning_saves_at_the_next_step_and_the_same_command_goes_on(
    images, tmp_path, untouched, number, every
):
    """With a checkpoint a minute, the warning saves. With one a step, it comes during a save."""
    given = command(images, tmp_path, "--save-every", every)
    process = (start_afresh if number == signal.SIGTERM else start)(*given)
    wait_for(lambda: "epoch 1/5, train loss" in _log(tmp_path), process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number, errors
    assert "run the same command again to resume" in errors and "Traceback" not in errors
    assert read_checkpoint(run_of(tmp_path) / LAST)["global_step"] > 0
    code, _, errors = finish(*given)
    assert code == 0, errors
    assert_equal(outcome(tmp_path), untouched)


def test_a_warning_during_validation_saves(images, tmp_path):
    """Nearly all of this run is validation: one training batch an epoch, then the images."""
    root = tmp_path / "mostly-val"
    shutil.copytree(images, root)
    for file in (images / "val").glob("*/*.png"):
        for number in range(150):
            shutil.copy(file, root / "val" / file.parent.name / f"{number}-{file.name}")
    given = command(root, tmp_path / "runs")
    given[given.index("recipe.batch=4")] = "recipe.batch=36"
    process = start(*given)
    wait_for(has_checkpoint(tmp_path / "runs"), process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert read_checkpoint(run_of(tmp_path / "runs") / LAST)["global_step"] > 0
    code, _, errors = finish(*given)
    assert code == 0, errors
    again = [each.replace(str(tmp_path / "runs"), str(tmp_path / "again")) for each in given]
    assert finish(*again)[0] == 0
    assert_equal(outcome(tmp_path / "runs"), outcome(tmp_path / "again"))


@pytest.mark.parametrize(
    ("shared", "number"), [("--jobs", signal.SIGINT), ("--devices", signal.SIGTERM)]
)
def test_a_signal_stops_all_processes_of_a_call_and_it_goes_on(images, tmp_path, shared, number):
    """Two runs at a time, or one run in two processes: each saves, none is left behind.

    Of the two runs, one is resumed; both go on at a time after a kill in the next test.
    The one in two processes, stopped within its first epoch, ends as one that nothing happens to.
    """
    runs = tmp_path / "runs"
    one = longer(command(images, runs, "--workers", "0"))
    several = [*one[:3], "run", "--rows", "10,13", "--jobs", "2", *one[5:]]
    alone = [each.replace("epochs=24", "epochs=8") for each in one]
    alone += ["--devices", "2", "--save-every", "0"]
    given = several if shared == "--jobs" else alone
    process = start(*given)
    logs = 2 if shared == "--jobs" else 1

    def begun():
        found = [path.read_text() for path in runs.glob("*/log.txt")]
        return sum("learning rate" in text for text in found) == logs

    wait_for(begun, process)
    wait_for(lambda: len(list(runs.glob(f"*/{LAST}"))) == logs, process)
    children = descendants(process.pid)
    assert len(children) >= 2
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number, errors
    assert errors.count("run the same command again to resume") == 1 and "Traceback" not in errors
    wait_for_the_end(children)
    assert not list(runs.glob("*/record.json"))  # stopped, not waited for
    assert len(list(runs.glob(f"*/{LAST}"))) == logs
    taken = {}
    if shared == "--devices":
        taken = read_checkpoint(run_of(runs) / LAST)["callbacks"]["ReportingCallback"]
    code, _, errors = finish(*(one if shared == "--jobs" else given))
    assert code == 0 and "resuming in epoch " in errors, errors
    assert len(list(runs.glob("*/record.json"))) == 1
    if shared == "--devices":
        record = json.loads((run_of(runs) / "record.json").read_text())
        assert record["history"][taken["epoch"]]["seconds"] > taken["seconds"] > 0.01
        assert re.search(r"after \d of its 9 batches", errors)
        whole = command(images, tmp_path / "whole", "--workers", "0", "--devices", "2")
        assert finish(*(each.replace("epochs=5", "epochs=8") for each in whole))[0] == 0
        assert_equal(outcome(runs), outcome(tmp_path / "whole"))


def descendants(parent):
    """The processes below one, by number."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                child = int(status.parent.name)
                found += [child, *descendants(child)]
    return found


def wait_for_the_end(processes, seconds=30):
    end = time.monotonic() + seconds
    while left := [each for each in processes if Path(f"/proc/{each}").exists()]:
        assert time.monotonic() < end, left
        time.sleep(0.1)


def test_a_job_whose_process_is_killed_goes_on_in_another(images, tmp_path):
    """As by a system that is short of memory; once, then it is that run's failure."""
    one = longer(command(images, tmp_path, "--workers", "0"))
    process = start(*one[:3], "run", "--rows", "10,13", "--jobs", "2", *one[5:])
    wait_for(lambda: len(list(tmp_path.glob(f"*/{LAST}"))) == 2, process)
    holder = next(tmp_path.glob("*/holder.txt")).read_text()
    os.kill(int(holder.split()[1]), signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert len(list(tmp_path.glob("*/record.json"))) == 2
    assert "resuming in epoch " in errors and "failed" not in errors


@pytest.mark.parametrize("shared", ["--jobs", "--devices"])
def test_nothing_is_left_behind_by_a_call_that_is_killed(images, tmp_path, shared):
    one = command(images, tmp_path)
    several = [*one[:3], "run", "--rows", "10,13", "--jobs", "2", *one[5:]]
    process = start(*(several if shared == "--jobs" else [*one, "--devices", "2"]))
    wait_for(lambda: "learning rate" in _log(tmp_path), process)
    children = descendants(process.pid)
    process.kill()
    process.communicate(timeout=60)  # its pipes close when all that hold them have ended
    assert len(children) >= 2
    wait_for_the_end(children)


def _log(runs):
    path = run_of(runs) and run_of(runs) / "log.txt"
    return path.read_text() if path and path.exists() else ""


def test_watching_does_not_disturb(images, tmp_path, untouched):
    """Checkpoints after every step, images held, no loading processes: the same bits."""
    given = command(images, tmp_path, "--save-every", "0", "--images", "memory", "--workers", "0")
    code, _, errors = finish(*given)
    assert code == 0, errors
    assert_equal(outcome(tmp_path), untouched)


@pytest.fixture(scope="module")
def halted_runs(images, tmp_path_factory):
    runs = tmp_path_factory.mktemp("halted")
    process = start(*command(images, runs, "--save-every", "0"))
    wait_for(has_checkpoint(runs), process)
    wait_for(lambda: (run_of(runs) / "metrics.jsonl").read_text(), process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    return runs


@pytest.fixture
def halted(halted_runs, tmp_path):
    """A run that was stopped in its second epoch, with a checkpoint and one before it."""
    return Path(shutil.copytree(halted_runs, tmp_path / "halted"))


def _cut(content):
    return content[: len(content) // 2]


def _flip(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


def _nothing(_content):
    return b""


def test_a_damaged_checkpoint_falls_back_to_the_one_before(images, halted, untouched):
    folder = run_of(halted)
    whole = (folder / LAST).read_bytes()
    for harm in (_cut, _flip, _nothing):
        (folder / LAST).write_bytes(harm(whole))
        said = []
        assert newest(folder, said.append)[0] == folder / BEFORE
        assert "is damaged: its checksum does not fit" in said[0]
    (folder / LAST).write_bytes(_flip(whole))
    (folder / "last.partial").write_bytes(_cut(whole))
    code, _, errors = finish(*command(images, halted, "--threads", "2"))
    assert code == 0 and "trying the previous one" in errors
    assert "resumes with threads 1, as at its first start, not 2" in errors
    assert "resuming in epoch " in errors
    assert not (folder / "last.damaged").exists()  # the finished run keeps what --keep names
    assert_equal(outcome(halted), untouched)


def test_no_checkpoint_that_can_be_read_is_said_and_begun_anew_on_demand(images, halted, untouched):
    folder = run_of(halted)
    for name in (LAST, BEFORE):
        (folder / name).write_bytes(b"nothing")
    code, _, errors = finish(*command(images, halted))
    assert code == 1 and "use --restart to start over" in errors
    code, _, errors = finish(*command(images, halted, "--restart"))
    assert code == 0, errors
    assert_equal(outcome(halted), untouched)
    aside = folder.with_name(f"{folder.name}.aside-1")
    assert (aside / LAST).read_bytes() == b"nothing"


def test_restart_changes_nothing_where_something_does_not_fit_or_the_run_is_held(images, halted):
    folder, given = run_of(halted), command(images, halted, "--restart")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    code, _, errors = finish(*given, "--accumulate", "7")
    assert code == 2 and "cannot be shared out" in errors
    holder = start(*command(images, halted))
    wait_for(lambda: (folder / "holder.txt").exists(), holder)
    wait_for(lambda: _log(halted).count("learning rate") == 2, holder)
    code, _, errors = finish(*given)
    assert code == 2 and "is being trained; it cannot be started over" in errors
    holder.kill()
    holder.communicate()
    assert not list(halted.glob("*.aside-*")) and (folder / LAST).exists()
    assert before.keys() <= set(folder.iterdir()) | {folder / "holder.txt"}


def test_a_checkpoint_that_would_execute_code_is_refused(images, halted, tmp_path):
    """Its checksum is right: whoever can write the file can write that too."""
    owned = tmp_path / "owned"

    class Malicious:
        def __reduce__(self):
            return owned.touch, ()

    for name in (LAST, BEFORE):
        write_checkpoint({"state_dict": Malicious()}, run_of(halted) / name)
    code, _, errors = finish(*command(images, halted))
    assert code == 1 and not owned.exists()
    assert "no checkpoint in" in errors and "Traceback" not in errors


def test_a_torn_line_of_metrics_is_repaired(images, halted, untouched):
    with (run_of(halted) / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 1, "train_l')
    code, _, errors = finish(*command(images, halted))
    assert code == 0, errors
    assert_equal(outcome(halted), untouched)


def test_another_runs_checkpoint_is_refused_naming_what_differs(images, halted):
    folder = run_of(halted)
    other = command(images, halted, "--seed", "1")
    process = start(*other)
    wait_for(lambda: len(list(halted.glob("*/" + LAST))) == 2, process)
    process.kill()
    process.communicate()
    theirs = next(path for path in halted.glob("*/" + LAST) if path.parent != folder)
    shutil.copy(folder / LAST, theirs)
    code, _, errors = finish(*other)
    assert code == 1 and "is of another run: seed 0" in errors


def test_a_second_process_waits_or_is_refused(images, tmp_path, untouched):
    first = start(*command(images, tmp_path))
    wait_for(lambda: run_of(tmp_path) and (run_of(tmp_path) / "holder.txt").exists(), first)
    first.send_signal(signal.SIGSTOP)
    code, _, errors = finish(*command(images, tmp_path, "--no-wait"))
    assert code == 1 and f"is being trained by process {first.pid} on" in errors
    second = start(*command(images, tmp_path))
    read_until(second, f"waiting for process {first.pid}")
    first.send_signal(signal.SIGCONT)
    errors = second.communicate(timeout=300)[1]
    assert second.returncode == 0, errors
    first.communicate(timeout=300)
    assert first.returncode == 0
    assert_equal(outcome(tmp_path), untouched)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_leaves_the_last_checkpoint_and_records(images, tmp_path, untouched):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", small])
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        process = start(*command(images, small, "--save-every", "0"))
        wait_for(has_checkpoint(small), process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
        filler = small / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 12)):
                pass
        code, _, errors = finish(*command(images, small, "--save-every", "0"))
        assert code == 1
        assert "No space left on device" in errors and "Traceback" not in errors
        assert newest(run_of(small)) is not None
        filler.unlink()
        code, _, errors = finish(*command(images, small))
        assert code == 0, errors
        assert_equal(outcome(small), untouched)
    finally:
        subprocess.run(["umount", "-l", small], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_one_line_for_what_only_reads_runs(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "none", tmp_path], check=True)
    try:
        for name in ("collect", "plot"):
            given = ("--runs", str(ROOT / "results/tiny"), "--out", str(tmp_path / name))
            code, _, errors = finish(sys.executable, "-m", "roadmap", name, *given)
            assert code == 1 and "No space left on device" in errors, errors
            assert "Traceback" not in errors and not list(tmp_path.rglob("*.partial"))
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.fixture
def harmed(images, tmp_path):
    """A folder with one training image cut short and one that is text."""
    root = tmp_path / "harmed"
    shutil.copytree(images, root)
    first, second = root / "train/a/3.png", root / "train/b/7.png"
    first.write_bytes(first.read_bytes()[:200])
    second.write_text("no image")
    return root


def test_broken_images_are_found_before_training(images, harmed):
    given = [sys.executable, "-m", "roadmap", "check-data"]
    code, output, _ = finish(*given, str(harmed))
    assert code == 1 and "36 training and 15 validation images of 3 classes: 2 cannot" in output
    assert "train/a/3.png" in output and "train/b/7.png" in output
    code, output, _ = finish(*given, str(images))
    assert code == 0 and "all can be opened" in output


def test_a_broken_image_stops_the_run_or_is_left_out_and_counted(harmed, tmp_path):
    code, _, errors = finish(*command(harmed, tmp_path / "stop"))
    assert code == 1 and errors.count(".png cannot be read") == 1 and "Traceback" not in errors
    assert "check-data" in errors and "--broken skip" in errors
    assert not list((tmp_path / "stop").glob("*/record.json"))
    code, _, errors = finish(*command(harmed, tmp_path / "skip", "--broken", "skip"))
    assert code == 0 and errors.count("left out: image") == 2
    record = json.loads((run_of(tmp_path / "skip") / "record.json").read_text())
    assert (record["data"]["train"], record["data"]["skipped"]) == (34, 2)


def test_a_broken_validation_image_is_never_left_out(images, tmp_path):
    root = tmp_path / "harmed"
    shutil.copytree(images, root)
    (root / "val/a/1.png").write_text("no image")
    code, _, errors = finish(*command(root, tmp_path / "runs", "--broken", "skip"))
    assert code == 1 and "val/a/1.png cannot be read" in errors
    assert "validation images are never left out" in errors and "--broken" not in errors


def test_a_broken_image_in_a_loading_process_is_one_line(images, tmp_path):
    root = tmp_path / "many"
    for number in range(8):  # more than are opened to tell their size
        for file in (images / "train").glob("*/*.png"):
            target = root / "train" / file.parent.name / f"{number}-{file.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    shutil.copytree(images / "val", root / "val")
    (root / "train/b/5-7.png").write_text("no image")
    code, _, errors = finish(*command(root, tmp_path / "runs"))
    assert code == 1 and errors.count("train/b/5-7.png cannot be read") == 1
    assert "Traceback" not in errors and "Caught" not in errors


def test_a_signal_repeated_after_a_while_ends_a_run_whose_step_is_too_long(tmp_path):
    """At once, it is the same warning again: it comes to a process and to its group."""
    code = (
        "import sys, time, experiments.host.signals as s\n"
        "s.PATIENCE = 600.0\n"
        "s.STOP.listen()\n"
        "print('ready', flush=True)\n"
        "while s.STOP.asked is None: time.sleep(0.01)\n"
        "print('asked', s.STOP.asked, flush=True)\n"
        "sys.stdin.readline()\n"
        "s.PATIENCE = 0.0\n"
        "print('impatient', flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == f"asked {int(signal.SIGTERM)}\n"
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "impatient\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM


def loading_processes(process):
    """The processes that load images for a run, which are copies of its own process."""
    own = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    return [
        child
        for child in descendants(process.pid)
        if Path(f"/proc/{child}/cmdline").read_bytes() == own
    ]


def test_a_loading_process_that_is_killed_ends_the_run_with_its_reason(images, tmp_path):
    process = start(*longer(command(images, tmp_path)))
    wait_for(lambda: "epoch 1/" in _log(tmp_path), process)
    os.kill(loading_processes(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "a loading process" in errors and "--workers 0" in errors
    assert "Traceback" not in errors


def test_a_warning_ends_a_run_that_waits_for_data(images, tmp_path, untouched):
    """Its loading processes are stopped, so no more batches come; the run ends and resumes."""
    given = command(images, tmp_path)
    process = start(*given)
    wait_for(lambda: "epoch 1/5, train loss" in _log(tmp_path), process)
    children = loading_processes(process)
    for child in children:
        os.kill(child, signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "Traceback" not in errors
    wait_for_the_end(children)
    code, _, errors = finish(*given)
    assert code == 0, errors
    assert_equal(outcome(tmp_path), untouched)


def test_a_second_interrupt_ends_all_at_once_and_leaves_nothing(images, tmp_path, monkeypatch):
    """The jobs are stopped, so that they cannot save and end at the first Ctrl-C."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = set(Path("/dev/shm").glob("sem.*"))
    one = longer(command(images, tmp_path / "runs", "--workers", "0"))
    process = start(*one[:3], "run", "--rows", "10,13", "--jobs", "2", *one[5:])
    wait_for(lambda: len(list((tmp_path / "runs").glob(f"*/{LAST}"))) == 2, process)
    children = descendants(process.pid)
    trainers = trainers_of(process, tmp_path / "runs")
    assert len(trainers) == 2
    for trainer in trainers:
        os.kill(trainer, signal.SIGSTOP)
    wait_for(lambda: all(is_stopped(trainer) for trainer in trainers), process)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: all(is_pending(trainer, signal.SIGTERM) for trainer in trainers), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors and errors.count("to resume") == 1
    wait_for_the_end(children)
    assert not list(temporary.iterdir()) and set(Path("/dev/shm").glob("sem.*")) <= before


def is_stopped(process):
    """Whether every thread of a process has stopped: until then it may still take a signal."""
    threads = Path(f"/proc/{process}/task").glob("*/stat")
    return all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)


def is_pending(process, number):
    """Whether a signal waits for a process that is stopped."""
    status = Path(f"/proc/{process}/status").read_text()
    masks = re.findall(r"^(?:ShdPnd|SigPnd):\t(\w+)", status, re.MULTILINE)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def test_a_signal_to_the_whole_group_saves(images, tmp_path):
    """As `timeout`, systemd and scancel send it: the loading processes get it too."""
    given = longer(command(images, tmp_path))
    process = subprocess.Popen(
        given, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: run_of(tmp_path) and (run_of(tmp_path) / "metrics.jsonl").exists(), process)
    os.killpg(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "saved and stopped by SIGTERM" in errors and "failed" not in errors
    assert read_checkpoint(run_of(tmp_path) / LAST)["global_step"] > 0


def test_a_job_that_is_told_to_stop_is_not_done(images, tmp_path):
    one = longer(command(images, tmp_path))
    given = [*one[:3], "run", "--rows", "10,13", "--jobs", "2", *one[5:]]
    process = start(*given)
    wait_for(lambda: len(list(tmp_path.glob(f"*/{LAST}"))) == 2, process)
    os.kill(max(trainers_of(process, tmp_path)), signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "Traceback" not in errors


def trainers_of(process, runs):
    """The processes of a call that hold runs."""
    holders = [_text(path).split() for path in runs.glob("*/holder.txt")]
    return {int(words[1]) for words in holders if words} & set(descendants(process.pid))


def _text(path):
    return path.read_text() if path.exists() else ""


def test_a_torn_record_is_one_runs_failure_and_another_runs_record_is_refused(images, done):
    one = command(images, done)
    given = [*one[:3], "run", "--rows", "10,13", "--jobs", "1", *one[5:]]
    path = run_of(done) / "record.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    code, _, errors = finish(*given)
    assert code == 1 and "not readable as a record" in errors
    assert len(list(done.glob("*/record.json"))) == 2  # the other row was trained
    other = json.loads(whole)
    other["identity"]["seed"] = 1
    path.write_text(json.dumps(other))
    code, _, errors = finish(*one)
    assert code == 1 and "is of another run" in errors


def test_a_record_is_never_made_of_other_epochs_than_the_runs(images, done, tmp_path):
    """The checkpoint holds the history, so a torn file of metrics does not change the record."""
    folder = run_of(done)
    history = read_record(folder / "record.json").history
    (folder / "record.json").unlink()
    text = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(text[:-20])
    code, _, errors = finish(*command(images, done))
    assert code == 0, errors
    assert read_record(folder / "record.json").history == history
    last = folder / LAST
    last.write_bytes(_flip(last.read_bytes()))
    export = [
        sys.executable, "-m", "roadmap", "export", "13", "--out", str(tmp_path / "x.safetensors"),
        "--data", str(images), "--runs", str(done),
    ]  # fmt: skip
    code, _, errors = finish(*export, *(f"--set={each}" for each in HARSH))
    assert code == 2 and "is damaged" in errors and not (tmp_path / "x.safetensors").exists()


def test_a_waiting_process_can_be_stopped(images, tmp_path):
    first = start(*command(images, tmp_path))
    wait_for(lambda: run_of(tmp_path) and (run_of(tmp_path) / "holder.txt").exists(), first)
    first.send_signal(signal.SIGSTOP)
    second = start(*command(images, tmp_path))
    read_until(second, "waiting for process")
    second.send_signal(signal.SIGTERM)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 128 + signal.SIGTERM, errors
    first.kill()
    first.communicate()
