"""Runs through a real SLURM, which is harmed: kills, signals, a cancellation, a second task."""

import os
import random
import re
import signal

import pytest

from experiments.host.lock import is_held

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # on a machine that others use too


def holder(folder):
    """The process that trains the run in a folder."""
    return int(re.search(r"process (\d+)", (folder / "holder.txt").read_text())[1])


def test_two_nodes_share_a_run_as_two_processes_of_one_machine_do(cluster):
    """Both are stopped by SIGUSR1, come back, and end as two processes that nothing stopped."""
    here = cluster(epochs=3)
    given = ("--rows", "00", "--save-every", "0")
    said = here.submit(*given, "--nodes-per-run", "2", "--cpus-per-run", "1")
    here.wait_until(lambda: list(here.runs.glob("*/last.ckpt")))
    here.start("scancel", "--batch", "--signal=USR1", re.search(r"as job (\d+)", said)[1])
    here.wait_until_empty()
    here.roadmap("run", *given, *here.trained, "--devices", "2", "--runs", "alone")
    assert here.records() and here.records() == here.records("alone"), here.outputs()
    assert here.outputs().count("saved and stopped by SIGUSR1") == 2
    assert "failed" not in here.outputs()


def test_until_decided_takes_two_waves(cluster):
    here = cluster(epochs=1)
    study = ("path", "--seeds", "2", "--until-decided", "--max-seeds", "3")
    said = here.submit(*study, "--scratch", "$WORK/disk")  # the nodes' own WORK
    assert "follows and submits the next wave" in said
    again = here.submit(*study)
    assert "nothing to submit" in again and "in the queue submits the next wave" in again
    here.wait_until_empty()
    outputs = sorted((here.runs / "submitted").glob("*.next.out"))
    assert len(outputs) == 2, here.outputs()
    assert "2 to submit" in outputs[0].read_text()
    assert "nothing to submit" in outputs[1].read_text()
    here.roadmap("run", *study, *here.trained, "--jobs", "2", "--runs", "alone")
    assert len(here.records()) == 6
    assert (here.folder / "disk").is_dir() and "copying images" in here.outputs()
    assert here.records() == here.records("alone")


HARMS = ["kill", "requeue", "kill", "node", "cancel", "kill", "preempt"]


def test_a_study_ends_as_without_slurm_whatever_happens_to_its_tasks(cluster):
    """Three kills, SIGUSR1, a preemption, a failed node, a second task on a run, a cancellation."""
    here = cluster(epochs=4)
    study = ("path", "--seeds", "10")
    more = ("--max-parallel", "2", "--save-every", "0", "--sbatch", "nodelist=three")
    said = here.submit(*study, *more, "--time", "30")
    job = re.search(r"20 runs as job (\d+)", said)[1]
    assert "20 in the queue, nothing to submit" in here.submit(*study, *more)
    (script,) = (here.runs / "submitted").glob("*.sbatch")
    order = sorted(here.states(*study).values(), key=lambda run: (run["seed"], run["row"]))
    tasks = {run["run"]: f"{job}_{index}" for index, run in enumerate(order)}

    most, harmed = 0, {}
    harms = random.Random(0).sample(HARMS, len(HARMS))
    while harms or here.tasks():
        states = here.tasks()
        most = max(most, sum(states.get(task) == "RUNNING" for task in tasks.values()))
        training = [run for run in _training(here.runs) if states.get(tasks[run]) == "RUNNING"]
        free = [run for run in training if run not in harmed]
        if harms and free:
            harmed[free[0]] = harms.pop()
            _harm(here, harmed[free[0]], here.runs / free[0], tasks[free[0]], script)
        assert states or not harms, here.outputs()
    assert most == 2 and len(harmed) == len(HARMS)

    states = {run["run"]: run for run in here.states(*study).values()}
    lost = {run for run, harm in harmed.items() if harm in ("kill", "cancel")}
    assert {run for run in states if states[run]["state"] != "finished"} == lost
    for run in lost:
        assert states[run]["state"] == "interrupted"
        word = "killed by signal 9" if harmed[run] == "kill" else "stopped by SIGTERM"
        assert word in states[run]["note"], states[run]
    for run, harm in harmed.items():
        log = (here.runs / run / "log.txt").read_text()
        if harm == "requeue":
            assert "stopped by SIGUSR1" in log and "resuming in epoch" in log
            assert "waiting for process" in here.outputs()  # the second task

    assert f"{len(lost)} to submit" in here.submit(*study, *more)
    here.wait_until_empty()
    assert "20 finished, nothing to submit" in here.submit(*study, *more)
    here.roadmap("run", *study, *here.trained, "--jobs", "2", "--runs", "alone")
    assert len(here.records()) == 20
    assert here.records() == here.records("alone")


def _training(runs):
    """The runs that have a checkpoint, no record, and a process that trains them."""
    saved = {path.parent.name for path in runs.glob("*/last.ckpt") if is_held(path.parent)}
    return sorted(saved - {path.parent.name for path in runs.glob("*/record.json")})


def _harm(here, harm, folder, task, script):
    if harm == "kill":
        os.kill(holder(folder), signal.SIGKILL)
    elif harm == "cancel":
        here.call("scancel", task)
    elif harm == "requeue":  # as SLURM signals a limit; with another task that wants the run
        os.kill(holder(folder), signal.SIGSTOP)  # until that task is there
        here.call("sbatch", f"--array={task.partition('_')[2]}", str(script))
        here.wait_until(lambda: "waiting for process" in here.outputs())
        os.kill(holder(folder), signal.SIGCONT)
        here.start("scancel", "--batch", "--signal=USR1", task)
    elif harm == "preempt":  # a job of more priority takes the whole node for a moment
        here.call("srun", "--partition=urgent", "--exclusive", "true")
    else:
        update = ("scontrol", "update", "NodeName=three")
        here.call(*update, "State=DOWN", "Reason=test")
        here.wait_until(lambda: here.tasks().get(task) != "RUNNING")
        here.start(*update, "State=RESUME")  # an error if the node came back by itself
