"""What a task does after a signal: come back, or say why not. The requeue itself needs SLURM."""

import signal

import pytest

from experiments.cluster.script import REQUEUE
from experiments.cluster.task import requeue_when_stopped
from experiments.request import Request
from experiments.settings import Settings
from roadmap.errors import Problem


@pytest.fixture
def request_in_task(tmp_path, monkeypatch):
    """A run in a task, on a machine without SLURM's programs."""
    monkeypatch.setenv(REQUEUE, "1")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    request = Request(settings=Settings(roadmap="tiny", runs=tmp_path), row="05", seed=0)
    request.folder.mkdir()
    return request


def end(request, stopped, *, saves=True):
    with requeue_when_stopped(request) as task:
        if saves:
            (request.folder / "last.ckpt").touch()
        task.stopped = stopped
    return task.requeued


def test_a_run_that_saved_asks_slurm_to_come_back(request_in_task):
    with pytest.raises(Problem, match="there is no program scontrol"):
        end(request_in_task, signal.SIGUSR1)


def test_a_run_that_saved_nothing_would_never_end(request_in_task):
    with pytest.raises(Problem, match="saved anything; not requeued: submit it with more"):
        end(request_in_task, signal.SIGUSR1, saves=False)


def test_other_nodes_leave_it_to_the_first(request_in_task, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert end(request_in_task, signal.SIGUSR1)


@pytest.mark.parametrize("stopped", [0, signal.SIGTERM])
def test_other_ends_are_final(request_in_task, stopped):
    assert not end(request_in_task, stopped)


def test_a_run_outside_a_task_is_never_requeued(request_in_task, monkeypatch):
    monkeypatch.delenv(REQUEUE)
    assert not end(request_in_task, signal.SIGUSR1)
