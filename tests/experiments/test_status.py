"""The state of runs, read from folders that real runs left, and the table of them."""

import json
import os
import re
import signal
import time
from dataclasses import replace

import pytest

from experiments.cluster.slurm import Task
from experiments.cluster.submission import Submission, SubmittedRun
from experiments.host.lock import is_held, lock_of
from experiments.request import Request
from experiments.settings import Settings
from experiments.status import Known, RunStatus, status_of
from experiments.status_table import duration, in_words
from tests.program import Program, run

GIVEN = ("--set", "recipe.batch=12", "--set", "recipe.image_size=32", "--threads", "1")


@pytest.fixture
def request_of(images, tmp_path):
    settings = Settings(
        data=str(images),
        runs=tmp_path / "runs",
        overrides={"recipe.batch": 12, "recipe.image_size": 32},
    )
    return lambda row="05", seed=0: Request(settings=settings, row=row, seed=seed)


def start(images, tmp_path, *more):
    given = ["run", "--rows", "05", "--data", images, "--runs", tmp_path / "runs"]
    return Program([*given, *GIVEN, *more])


@pytest.mark.slow
def test_a_run_from_waiting_by_way_of_a_kill_to_the_end(images, tmp_path, request_of):
    request = request_of()
    assert status_of(request).state == "waiting"
    first = start(images, tmp_path)
    wait_for(lambda: status_of(request).epoch, first)
    running = status_of(request)
    assert running.state == "running" and running.note.startswith(f"process {first.pid} on ")
    assert 1 <= running.epoch <= running.epochs and running.left is not None
    first.send_signal(signal.SIGTERM)
    first.communicate()
    stopped = status_of(request)
    assert (stopped.state, stopped.note) == ("interrupted", "saved and stopped by SIGTERM")

    second = start(images, tmp_path)
    wait_for(lambda: is_held(request.folder), second)
    second.kill()
    second.communicate()
    killed = status_of(request)
    assert killed.state == "interrupted" and killed.epoch >= 1
    lines = listed(images, tmp_path)
    assert lines[0] == "14 runs: 1 interrupted, 13 waiting"
    assert any("05 width seed 0" in line and "interrupted" in line for line in lines)

    third = start(images, tmp_path)
    _, errors = third.communicate(timeout=500)
    assert third.returncode == 0, errors
    assert status_of(request).state == "finished"
    assert re.match(r"time left: about .* with 2 parallel runs", listed(images, tmp_path)[1])


def wait_for(condition, process):
    end = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def listed(images, tmp_path):
    given = ("status", "--data", images, "--jobs", "2", "--runs", tmp_path / "runs")
    done = run(*given, *GIVEN[:-2])
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    return done.stdout.splitlines()


def test_a_failed_run_says_why(request_of):
    request = request_of()
    request.folder.mkdir(parents=True)
    log = "2026-01-01T10:00:00+00:00 a bad image (x.png)\n    Traceback …\n    OSError: x.png\n"
    (request.folder / "log.txt").write_text(log)
    failed = status_of(request)
    assert failed.state == "failed" and failed.note.startswith("a bad image (x.png) (")
    with (request.folder / "log.txt").open("a") as file:  # it was started again, then killed
        file.write("2026-01-01T11:00:00+00:00 batch 12\n")
    assert status_of(request).state == "interrupted"


def test_a_task_that_left_the_queue_is_told_by_what_it_left(request_of, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")  # SLURM has forgotten the task
    request = request_of()
    run = SubmittedRun(row="05", seed=0, name=request.name, run=request.identity.run)
    mine = Submission(name="mine", first="mine", wave=1, command="", runs=(run,), job=7)
    known = Known(in_queue={}, submitted={run.run: (mine, 0)})
    output = request.settings.runs / "submitted" / "mine.0.out"
    output.parent.mkdir(parents=True)
    gone = status_of(request, known=known)
    assert (gone.state, gone.note) == ("waiting", "job 7_0 left the queue before it began")
    assert "before it began" in in_words([gone], jobs=1, everything=False)
    output.write_text("ModuleNotFoundError: No module named 'torch'\n")
    failed = status_of(request, known=known)
    assert failed.state == "failed" and "No module named 'torch'" in failed.note
    request.folder.mkdir()
    (request.folder / "log.txt").write_text("2026-01-01T10:00:00+00:00 batch 12\n")
    assert status_of(request, known=known).state == "interrupted"
    task = Task(job=7, index=0, name="mine", state="PENDING", nodes="", reason="Priority")
    queued = status_of(request, known=replace(known, in_queue={run.run: task}))
    assert (queued.state, queued.note) == ("queued", "job 7_0: Priority")


def test_a_damaged_record_is_a_failure(request_of):
    request = request_of()
    request.folder.mkdir(parents=True)
    (request.folder / "record.json").write_text("{}")
    assert status_of(request).state == "failed"


def test_a_look_creates_and_changes_nothing(request_of):
    folder = request_of().folder
    status_of(request_of())
    assert not folder.exists()
    folder.mkdir(parents=True)
    status_of(request_of())
    assert list(folder.iterdir()) == []
    with lock_of(folder).acquire(timeout=0):
        assert is_held(folder)
        assert status_of(request_of()).state == "running"
    assert not is_held(folder)


@pytest.mark.timeout(30)
def test_a_pipe_in_place_of_a_lock_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "lock")
    assert not is_held(tmp_path)


def test_the_end_of_a_large_log_is_read(request_of):
    request = request_of()
    request.folder.mkdir(parents=True)
    line = "2026-01-01T10:00:00+00:00 epoch 1/5\n"
    log = line * 20_000 + "2026-01-01T10:00:00+00:00 disk full\n    Traceback …\n"
    (request.folder / "log.txt").write_text(log)
    assert status_of(request).note.startswith("disk full (")


def test_odd_lines_of_metrics_are_passed_over(request_of):
    request = request_of()
    request.folder.mkdir(parents=True)
    (request.folder / "metrics.jsonl").write_text('{"seconds": 3}\n[]\n{"seconds": 5}\n{"sec')
    (request.folder / "log.txt").write_text("2026-01-01T10:00:00+00:00 batch 12\n")
    found = status_of(request)
    assert found.epoch == 2 and found.left == (found.epochs - 2) * 4


def test_the_table_has_80_columns_and_lists_what_needs_a_look(request_of):
    def run(state, note="", left=60.0, seed=0):
        return RunStatus(
            request=request_of(seed=seed), state=state, epoch=1, epochs=5, left=left, note=note
        )

    runs = [
        run("finished", left=0.0),
        run("waiting"),
        run("failed", note="disk full " * 30),
        run("queued", note="job 1_2: Priority"),
        run("queued", note="job 1_3: JobHeldUser", seed=7),
    ]
    text = in_words(runs, jobs=2, everything=False)
    assert "5 runs: 1 finished, 2 queued, 1 failed, 1 waiting" in text
    assert "time left: about 2 min with 2 parallel runs" in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("05 width") == 2 and "JobHeldUser" in text and "Priority" not in text
    assert in_words(runs, jobs=2, everything=True).count("05 width") == 5
    unknown = in_words([run("waiting", left=None)], jobs=1, everything=False)
    assert "unknown until a run is finished" in unknown
    assert "none, all runs are finished" in in_words(runs[:1], jobs=1, everything=False)


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.2, "4 s"), (600, "10 min"), (9000, "2.5 h"), (864000, "10 days")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_objects_list_all_runs(images, tmp_path, capsys):
    from roadmap.cli.main import main

    assert (
        main(["status", "--data", str(images), "--runs", str(tmp_path), "--seeds", "2", "--json"])
        == 0
    )
    runs = json.loads(capsys.readouterr().out)
    assert len(runs) == 28 and {run["state"] for run in runs} == {"waiting"}
    assert os.listdir(tmp_path) == []
