"""`python -m experiments.benchmarks`: measure all or some on the CPU, and save JSON."""

from __future__ import annotations

import argparse
import gc
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from experiments.benchmarks import commands, costs, peer, step, training
from experiments.benchmarks.measure import Measurement
from experiments.host.machine import Machine, cores
from experiments.training.provenance import describe_machine

SECTIONS: dict[str, tuple[str, Callable[[int], Iterator[Measurement]]]] = {
    "loop": ("The runner against a bare loop", training.against_a_bare_loop),
    "augmentation": ("Augmentation compared with timm's", training.augmentation_beside_timms),
    "cost": ("Costs against fvcore", costs.costs),
    "commands": ("Commands", commands.commands),
    "growth": ("More rows and more seeds", lambda _: commands.growth()),
    "jobs": ("Parallel runs", commands.side_by_side),
    "step": ("Where a training step's time goes", lambda _: step.where_the_time_goes(10)),
}


def main() -> None:
    """Print and save each measurement as it is made."""
    options = _options()
    gc.freeze()  # as in every process that trains: see `experiments.host.imports`
    sections = dict(SECTIONS)
    if options.peer:
        sections["peer"] = (
            "Whole runs against timm's train.py",
            lambda trials: peer.against_timm(options.peer.resolve(), trials),
        )
    machine = Machine(threads=cores(), workers=0, precision="32", compile=False)
    command = shlex.join(["python", "-m", "experiments.benchmarks", *sys.argv[1:]])
    about = describe_machine(machine, images="", command=command, started="", finished="")
    measured: dict[str, list[dict]] = {}
    for name, (title, measure) in sections.items():
        if options.only and name not in options.only:
            continue
        print(f"\n{title}", flush=True)
        measured[name] = []
        for measurement in measure(options.trials):
            print(f"  {measurement.line()}", flush=True)
            measured[name].append(measurement.data())
        saved = {"provenance": asdict(about), "found": measured}
        options.out.write_text(json.dumps(saved, indent=2, ensure_ascii=False) + "\n")


def _options() -> argparse.Namespace:
    names = [*SECTIONS, "peer"]
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks")
    text = "where to save the measurements (default bench.json)"
    parser.add_argument("--out", type=Path, default=Path("bench.json"), metavar="FILE", help=text)
    parser.add_argument(
        "--trials", type=int, default=3, metavar="N", help="repetitions of each (default 3)"
    )
    parser.add_argument(
        "--only", choices=names, nargs="+", metavar="NAME", help=f"some of {', '.join(names)}"
    )
    parser.add_argument("--peer", type=Path, metavar="TRAIN.PY", help="timm's train.py")
    options = parser.parse_args()
    if options.trials < 1:
        parser.error(f"--trials {options.trials} must be at least 1")
    if options.peer and not options.peer.is_file():
        parser.error(
            f"--peer {options.peer} does not exist; it is the train.py of timm's repository"
        )
    if options.only and "peer" in options.only and not options.peer:
        parser.error("--only peer needs --peer TRAIN.PY")
    return options


if __name__ == "__main__":
    main()
