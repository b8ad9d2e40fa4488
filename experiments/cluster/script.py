"""The sbatch scripts: an array with one task for each run, and the small job after a wave."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.cluster.resources import Resources
from experiments.cluster.submission import SubmittedRun
from roadmap.errors import Problem, visible

REQUEUE = "ROADMAP_REQUEUE"  # set in a task that requeues itself after SIGUSR1
NEXT_MINUTES = 60  # limit of the small job, which reads records and calls sbatch


def array_script(
    *, name: str, runs: Sequence[SubmittedRun], command: Sequence[str], words: str,
    resources: Resources, output: Path, folder: Path,
) -> str:  # fmt: skip
    """Return a script that trains each run in an array task.

    `command` is `roadmap run` with its options; the task adds `--only ROW:SEED`. `words` is what
    the user typed. `output` and the paths in `command` are relative to `folder`.
    """
    tasks = f"0-{len(runs) - 1}" + (f"%{resources.max_parallel}" if resources.max_parallel else "")
    lines = [
        *_head(name, words, folder, output / f"{_percent(name)}.%a.out", resources),
        f"#SBATCH --array={tasks}",
        f"#SBATCH --nodes={resources.nodes}",
        "#SBATCH --ntasks-per-node=1",
        *([f"#SBATCH --cpus-per-task={resources.cpus}"] if resources.cpus else []),
        *([f"#SBATCH --gpus-per-node={resources.gpus}"] if resources.gpus else []),
        *([f"#SBATCH --time={resources.time}"] if resources.time else []),
        f"#SBATCH --signal=B:USR1@{resources.signal}  # save, then come back to the queue",
        "#SBATCH --requeue  # also after a node failure or a preemption",
        "",
        "runs=(",
        *(f"  {shlex.quote(run.key)}  # {visible(run.name)}, {run.run}" for run in runs),
        ")",
        *_setup(resources),
        f"export {REQUEUE}=1",
        *_exec(resources, command, '--only "${runs[SLURM_ARRAY_TASK_ID]}"'),
    ]
    return "\n".join(lines) + "\n"


def next_script(
    *, name: str, command: Sequence[str], words: str, resources: Resources, output: Path,
    folder: Path,
) -> str:  # fmt: skip
    """Return the script of the small job that submits the next wave with `command`."""
    lines = [
        *_head(f"{name}.next", words, folder, output / f"{_percent(name)}.next.out", resources),
        "#SBATCH --ntasks=1",
        f"#SBATCH --time={NEXT_MINUTES}",
        *_setup(resources),
        *_exec(Resources(), command),
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, words: str, folder: Path, output: Path, resources: Resources) -> list[str]:
    if "\n" in f"{folder}{output}" or '"' in f"{folder}{output}":
        raise Problem(f"sbatch cannot take a folder with this name: {folder}")
    return [
        "#!/bin/bash",
        f"# {visible(words)}",
        f"#SBATCH --job-name={name}",
        f'#SBATCH --chdir="{folder}"',
        f'#SBATCH --output="{output}"',
        "#SBATCH --open-mode=append",
        *([f"#SBATCH --partition={resources.partition}"] if resources.partition else []),
        *(f"#SBATCH --{option}" for option in resources.more),
    ]


def _setup(resources: Resources) -> list[str]:
    return ["", *resources.setup.rstrip("\n").split("\n")] if resources.setup.strip() else []


def _exec(resources: Resources, command: Sequence[str], *more: str) -> list[str]:
    """Return the lines that start the program; several nodes start it once on each, by srun.

    It replaces the shell, so that it receives the signals of SLURM itself.
    """
    srun = []
    if resources.nodes > 1:
        srun = ["srun", "--kill-on-bad-exit=1"]
        srun += [f"--cpus-per-task={resources.cpus}"] if resources.cpus else []
    words = [*srun, sys.executable, "-m", "roadmap", *command]
    lines = [shlex.join(["exec", *words[: words.index("roadmap") + 2]])]
    for word in (*map(shlex.quote, words[words.index("roadmap") + 2 :]), *more):
        if word.startswith("-") or len(lines) == 1 or len(lines[-1]) + len(word) > 90:
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}"
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _percent(text: str) -> str:
    return text.replace("%", "%%")
