"""The SLURM of tests/slurm/start, if it runs; and small runs to submit to it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = Path(
    os.environ.get("ROADMAP_SLURM")
    or Path(os.environ.get("TMPDIR", "/tmp"), f"roadmap-slurm-{os.getuid()}")
)
ROADMAP = """\
title: two rows
base: {roadmap: tiny, row: "05"}
rows:
  - gelu:
"""
SETTINGS = ("recipe.batch=12", "recipe.image_size=32", "network.drop_path=0.1")


class Cluster:
    """A folder of a user, from which runs are submitted; its name has a space."""

    def __init__(self, folder, images, epochs):
        self.folder, self.runs = folder / "my study", folder / "my study" / "runs"
        self.folder.mkdir()
        self.started = []
        (self.folder / "two.yaml").write_text(ROADMAP)
        given = [f"--set={setting}" for setting in (f"recipe.epochs={epochs}", *SETTINGS)]
        self.rows = ("--roadmap", "two.yaml", "--data", str(images), *given)
        self.trained = (*self.rows, "--threads", "1", "--workers", "0")

    def call(self, *command):
        """Return what a program prints; it must work."""
        done = subprocess.run(
            command, cwd=self.folder, env=environment() | {"WORK": str(self.folder)}, text=True,
            capture_output=True, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr} {self.outputs()}"
        return done.stdout + done.stderr

    def start(self, *command):
        """Start a program that may report an error: scancel, if the task has gone by then."""
        quiet = subprocess.DEVNULL
        self.started.append(
            subprocess.Popen(command, env=environment(), stdout=quiet, stderr=quiet)
        )

    def roadmap(self, *arguments):
        """Return what one of our commands prints."""
        return self.call(sys.executable, "-m", "roadmap", *arguments)

    def submit(self, *arguments):
        """Submit runs and return the message."""
        return self.roadmap("submit", *arguments, *self.trained)

    def states(self, *arguments):
        """Return the runs of `roadmap status`, by row and seed."""
        listed = json.loads(self.roadmap("status", *arguments, *self.rows, "--json"))
        return {(run["row"], run["seed"]): run for run in listed}

    def tasks(self):
        """Return the state of each task of this folder's arrays in the queue, by number."""
        lines = self.call("squeue", "--noheader", "--array", "--format=%i|%T|%Z").splitlines()
        parts = [line.split("|", 2) for line in lines]
        return {number: state for number, state, where in parts if where == str(self.folder)}

    def wait_until(self, condition, seconds=900):
        """Return what `condition` returns, once it is true."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, self.outputs()
            time.sleep(0.05)
        return found

    def wait_until_empty(self):
        """Wait until nothing of this folder waits or runs."""
        self.wait_until(lambda: not self.tasks())

    def outputs(self):
        """Return all that the tasks printed."""
        return "\n".join(
            f"{path.name}: {path.read_text()}"
            for path in sorted((self.runs / "submitted").glob("*.out"))
        )

    def records(self, runs="runs"):
        """Return the records by run, without times and hosts."""
        found = {}
        for path in (self.folder / runs).glob("*/record.json"):
            record = json.loads(path.read_text())
            for name in ("provenance", "wall_seconds", "images_per_second"):
                del record[name]
            for row in record["history"]:
                del row["seconds"], row["images_per_second"]
            found[path.parent.name] = record
        return found


def environment():
    return {
        **os.environ,
        "SLURM_CONF": str(FOLDER / "slurm.conf"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",  # the nodes' names are known to SLURM alone
    }


@pytest.fixture
def cluster(images, tmp_path):
    """Returns a function that makes a folder for runs of some epochs; cancels what is left."""
    absent = "no SLURM for tests is running; tests/slurm/start --install starts it on Debian"
    if not (FOLDER / "slurm.conf").exists():
        pytest.skip(absent)  # without it, SLURM's programs look for a cluster for a minute
    try:
        ping = subprocess.run(
            ["scontrol", "ping"], env=environment(), capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        pytest.skip(absent)
    if "UP" not in ping.stdout:
        pytest.skip(absent)
    made = []

    def make(epochs):
        made.append(Cluster(tmp_path, images, epochs))
        return made[-1]

    yield make
    for each in made:
        for process in each.started:
            process.kill()
            process.wait()
        if tasks := each.tasks():
            subprocess.run(["scancel", *tasks], env=environment(), timeout=60)
