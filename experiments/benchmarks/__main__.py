"""`python -m experiments.benchmarks`: run all, or some, and save them as JSON."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from experiments.benchmarks import commands, costs, peer, step, training
from experiments.benchmarks.measure import Found
from experiments.machine import Machine, cores
from experiments.provenance import describe_machine

SECTIONS: dict[str, tuple[str, Callable[[int], Iterator[Found]]]] = {
    "loop": ("The runner against a bare loop", training.against_a_bare_loop),
    "augmentation": ("Augmentation beside timm's", training.augmentation_beside_timms),
    "cost": ("Costs against fvcore", costs.costs),
    "commands": ("Commands", commands.commands),
    "growth": ("A path's growth", lambda _: commands.growth()),
    "step": ("Where a training step's time goes", lambda _: step.where_the_time_goes(10)),
}


def main() -> None:
    """Print each figure as it is found, then save all."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), metavar="FILE")
    parser.add_argument("--trials", type=int, default=3, metavar="N")
    parser.add_argument("--only", choices=[*SECTIONS, "peer"], nargs="*")
    parser.add_argument("--peer", type=Path, metavar="TRAIN.PY", help="timm's train.py")
    options = parser.parse_args()
    sections = dict(SECTIONS)
    if options.peer:
        sections["peer"] = (
            "Whole runs against timm's train.py",
            lambda trials: peer.against_timm(options.peer.resolve(), trials),
        )
    machine = Machine(threads=cores(), workers=0)
    command = shlex.join(["python", "-m", "experiments.benchmarks", *sys.argv[1:]])
    about = describe_machine(machine, images="", command=command, started="", finished="")
    found: dict[str, list[dict]] = {}
    for name, (title, measure) in sections.items():
        if options.only and name not in options.only:
            continue
        print(f"\n{title}", flush=True)
        found[name] = []
        for each in measure(options.trials):
            print(f"  {each.line()}", flush=True)
            found[name].append(each.data())
        saved = {"provenance": asdict(about), "found": found}
        options.out.write_text(json.dumps(saved, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
