"""Runs through a real SLURM, which is harmed: kills, signals, a cancellation, a second task."""

import os
import random
import re
import signal

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # on a machine that others use too


def holder(folder):
    """The process that trains the run in a folder."""
    return int(re.search(r"process (\d+)", (folder / "holder.txt").read_text())[1])


def test_a_study_ends_as_without_slurm_whatever_happens_to_its_tasks(cluster):
    """20 runs: three kills, a requeue, a second task on a run, a cancellation, a resubmission."""
    here = cluster(epochs=4)
    study = ("path", "--seeds", "10")
    said = here.submit(*study, "--max-parallel", "2", "--save-every", "0", "--time", "30")
    job = re.search(r"20 runs as job (\d+)", said)[1]
    assert "nothing to submit" in here.submit(*study, "--max-parallel", "2")
    script = next((here.runs / "submitted").glob("*.sbatch"))
    number = {run["run"]: index for index, run in enumerate(_ordered(here, study))}

    most, harmed, again = 0, {}, None
    harms = ["kill", "requeue", "kill", "cancel", "kill"]
    random.Random(0).shuffle(harms)

    def busy():
        """Runs with a checkpoint and without a record, that nothing happened to yet."""
        saved = {path.parent.name for path in here.runs.glob("*/last.ckpt")}
        done = {path.parent.name for path in here.runs.glob("*/record.json")}
        return sorted(saved - done - harmed.keys())

    while harms or here.tasks():
        tasks = here.tasks()
        own = [task for task in tasks if task.startswith(f"{job}_")]
        most = max(most, sum(tasks[task] == "RUNNING" for task in own))
        if harms and (found := busy()):
            run, harm = found[0], harms.pop()
            harmed[run] = harm
            task = f"{job}_{number[run]}"
            if harm == "kill":
                os.kill(holder(here.runs / run), signal.SIGKILL)
            elif harm == "cancel":
                here.call("scancel", task)
            else:
                again = here.call("sbatch", "--parsable", f"--array={number[run]}", str(script))
                here.call("scancel", "--batch", "--signal=USR1", task)
        assert tasks or not harms, here.outputs()
    assert most == 2 and len(harmed) == 5

    states = here.states(*study)
    lost = {run["run"] for run in states.values() if run["state"] != "finished"}
    assert lost == {run for run, harm in harmed.items() if harm != "requeue"}
    for run in states.values():
        harm = harmed.get(run["run"])
        if harm == "kill":
            assert run["state"] == "interrupted" and "RaisedSignal:9" in run["note"]
        elif harm == "cancel":
            assert run["state"] == "interrupted" and "cancelled" in run["note"].lower()
    requeued = next(run for run, harm in harmed.items() if harm == "requeue")
    log = (here.runs / requeued / "log.txt").read_text()
    assert "saved and stopped by SIGUSR1" in log and "resuming in epoch" in log
    assert "JOB REQUEUE" in (script.with_name(f"{script.stem}.{number[requeued]}.out")).read_text()
    assert again

    assert "4 to submit" in here.submit(*study, "--max-parallel", "2")
    here.wait_until_empty()
    assert "20 finished, nothing to submit" in here.submit(*study, "--max-parallel", "2")
    here.roadmap("run", *study, *here.trained, "--jobs", "2", "--runs", "alone")
    assert len(here.records()) == 20
    assert here.records() == here.records("alone")


def _ordered(here, study):
    """The runs in the order of the array's tasks."""
    return sorted(here.states(*study).values(), key=lambda run: (run["seed"], run["row"]))


def test_two_nodes_share_a_run_as_two_processes_of_one_machine_do(cluster):
    """Both are stopped by SIGUSR1, come back, and end as two processes that nothing stopped."""
    here = cluster(epochs=3)
    given = ("--rows", "00", "--save-every", "0")
    said = here.submit(*given, "--nodes-per-run", "2", "--cpus-per-run", "1")
    here.wait_until(lambda: list(here.runs.glob("*/last.ckpt")))
    here.call("scancel", "--batch", "--signal=USR1", re.search(r"as job (\d+)", said)[1])
    here.wait_until_empty()
    here.roadmap("run", *given, *here.trained, "--devices", "2", "--runs", "alone")
    assert here.records() and here.records() == here.records("alone"), here.outputs()
    assert here.outputs().count("saved and stopped by SIGUSR1") == 2
    assert "failed" not in here.outputs()


def test_until_decided_takes_two_waves(cluster):
    here = cluster(epochs=1)
    study = ("path", "--seeds", "2", "--until-decided", "--max-seeds", "3")
    assert "follows and submits the next wave" in here.submit(*study)
    here.wait_until_empty()
    outputs = sorted((here.runs / "submitted").glob("*.next.out"))
    assert len(outputs) == 2, here.outputs()
    assert "2 to submit" in outputs[0].read_text()
    assert "nothing to submit" in outputs[1].read_text()
    here.roadmap("run", *study, *here.trained, "--jobs", "2", "--runs", "alone")
    assert len(here.records()) == 6
    assert here.records() == here.records("alone")
