"""The sbatch scripts as text, read back by bash; and what a cluster's options may be."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cluster.resources import Resources, seconds
from experiments.cluster.script import array_script, next_script
from experiments.cluster.submission import SubmittedRun
from roadmap.errors import Problem

RUNS = [
    SubmittedRun(row="00", seed=0, name="00 width seed 0", run="0123456789ab"),
    SubmittedRun(row="08-k5", seed=3, name="08-k5 seed 3", run="ba9876543210"),
]


def script(**resources):
    return array_script(
        name="path-1",
        runs=RUNS,
        command=["run", "path", "--data", "my images", "--set", "recipe.epochs=2", "--jobs", "1"],
        words="roadmap submit path",
        resources=Resources(**resources),
        output=Path("runs/submitted"),
        folder=Path("/work dir"),
    )


def options(text):
    return [line.removeprefix("#SBATCH ") for line in text.splitlines() if "#SBATCH" in line]


def test_a_script_says_what_each_task_gets():
    text = script(partition="gpu", time="4:00:00", gpus=8, nodes=2, cpus=16, max_parallel=3,
                  more=("account=vision",))  # fmt: skip
    for wanted in (
        "--array=0-1%3", "--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=8",
        "--cpus-per-task=16", "--partition=gpu", "--time=4:00:00", "--account=vision",
        '--chdir="/work dir"', '--output="runs/submitted/path-1.%a.out"',
    ):  # fmt: skip
        assert wanted in options(text)
    assert "exec srun --kill-on-bad-exit=1 --cpus-per-task=16 " in text


def test_what_is_not_asked_for_is_left_to_the_cluster():
    text = script()
    for absent in ("partition", "time=", "gpus", "cpus", "srun", "%3"):
        assert absent not in "\n".join(options(text)), absent
    assert "--array=0-1" in options(text) and "srun" not in text


@pytest.mark.parametrize("task", [0, 1])
def test_a_task_starts_its_own_run(task, tmp_path):
    """bash runs the script with a program that prints its arguments in place of python."""
    text = script(setup="export GREETING='from setup'\n")
    shown = tmp_path / "show"
    shown.write_text('#!/bin/bash\nprintf "%s|" "$GREETING" "$ROADMAP_REQUEUE" "$@"\n')
    shown.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euc", text.replace(sys.executable, str(shown))],
        env={"SLURM_ARRAY_TASK_ID": str(task), "PATH": "/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("|")[:-1] == [
        "from setup", "1", "-m", "roadmap", "run", "path", "--data", "my images", "--set",
        "recipe.epochs=2", "--jobs", "1", "--only", RUNS[task].key,
    ]  # fmt: skip


def test_the_next_wave_is_a_small_job_without_the_runs_resources():
    text = next_script(
        name="path-1", command=["submit", "path"], words="roadmap submit path",
        resources=Resources(partition="gpu", gpus=8, nodes=4), output=Path("out"), folder=Path("/"),
    )  # fmt: skip
    assert "--job-name=path-1.next" in options(text) and "--ntasks=1" in options(text)
    assert "gpus" not in text and "--partition=gpu" in options(text)


@pytest.mark.parametrize(
    ("text", "length"),
    [("90", 5400), ("90:30", 5430), ("1:30:00", 5400), ("2-12", 216000), ("1-0:30", 88200),
     ("1-01:00:01", 90001)],
)  # fmt: skip
def test_time_limits_are_read_as_slurm_reads_them(text, length):
    assert seconds(text) == length


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"time": "4h"}, "--time '4h' is not a time limit; valid: 90"),
        ({"time": "5"}, "less than twice --signal 300"),
        ({"partition": "a b"}, "not the name of a partition"),
        ({"more": ("--mem=4G",)}, "without its dashes"),
        ({"more": ("mem=4G\n#x",)}, "must be a long option"),
        ({"more": ("array=1-9",)}, "sets array itself"),
    ],
)
def test_wrong_options_are_named(given, message):
    with pytest.raises(Problem, match=message):
        Resources(**given)
