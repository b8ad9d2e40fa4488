"""`python -m experiments.benchmarks.gpu`: measure everything, or some parts, and save JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from experiments.benchmarks.gpu.depthwise import depthwise
from experiments.benchmarks.gpu.input_path import input_path
from experiments.benchmarks.gpu.kinds import kinds
from experiments.benchmarks.gpu.networks import networks
from experiments.benchmarks.gpu.part import Fact, Part, run
from experiments.benchmarks.gpu.peer import peer
from experiments.benchmarks.gpu.plan import DRY, FULL, Plan
from experiments.benchmarks.gpu.pointwise import pointwise
from experiments.benchmarks.gpu.runner import runner
from experiments.benchmarks.measure import Measurement
from experiments.host.log import now
from experiments.training.provenance import commit
from roadmap.files import put_text

# In this order; limits and reserves in seconds.
PARTS = {
    "input": Part(title="Input path", measure=input_path, limit=45, reserved=25),
    "runner": Part(title="Runner over bare loop", measure=runner, limit=75, reserved=55),
    "networks": Part(title="Networks alone", measure=networks, limit=190, reserved=130),
    "peer": Part(title="Whole runs against timm's train.py", measure=peer, limit=90, reserved=45),
    "depthwise": Part(title="Depthwise convolutions", measure=depthwise, limit=50, reserved=35),
    "pointwise": Part(title="1×1 convolutions", measure=pointwise, limit=15, reserved=10),
    "kinds": Part(title="Where a training step's time goes", measure=kinds, limit=30, reserved=20),
}
TOTAL = 350.0  # seconds for everything


def limited(name: str, names: Sequence[str], left: float, *, skipped: Sequence[str] = ()) -> Part:
    """Return a part with its limit, so that all `names` end within the `left` seconds.

    It gets what it may take, but leaves to each part after it what is reserved for that part,
    unless that is `skipped`.
    """
    after = names[list(names).index(name) + 1 :]
    kept = sum(PARTS[each].reserved for each in after if each not in skipped)
    return replace(PARTS[name], limit=max(1.0, min(PARTS[name].limit, left - kept)))


def main() -> int:
    """Print and save each measurement as it is made; return 1 if a part failed."""
    options = _options()
    plan = replace(DRY if options.dry_run else FULL, script=options.peer)
    saved: dict[str, Any] = {
        "dry_run": plan.dry,
        "operations_per_batch": None,
        "synchronizations_per_step": None,
        "parts": {},
    }
    start = time.monotonic()
    about = Part(title="Provenance", measure=_provenance, limit=20)
    for value in run(about, plan):
        if isinstance(value, Fact):
            saved[value.key] = value.value
    names = [name for name in PARTS if name in (options.only or PARTS)]
    for name in names:
        left = TOTAL - (time.monotonic() - start)
        part = limited(name, names, left, skipped=() if plan.script else ("peer",))
        _measure(name, part, plan, saved, options.out)
    saved["seconds"] = round(time.monotonic() - start, 1)
    put_text(options.out, json.dumps(saved, indent=2, ensure_ascii=False) + "\n")
    failed = [name for name, part in saved["parts"].items() if part["status"] not in GOOD]
    if failed:
        print(f"\nnot finished: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


GOOD = ("done", "skipped")


def _measure(name: str, one: Part, plan: Plan, saved: dict[str, Any], out: Path) -> None:
    """Run one part; rewrite the file after each value."""
    start = time.monotonic()
    print(f"\n{one.title}", flush=True)
    part: dict[str, Any] = {"title": one.title, "status": "running", "measurements": []}
    saved["parts"][name] = part
    for value in run(one, plan):
        if isinstance(value, Measurement):
            part["measurements"].append(value.data())
            print("\n".join(f"  {line}" for line in value.line().splitlines()), flush=True)
        elif isinstance(value, Fact):
            saved[value.key] = value.value
            print(f"  {value.key}: {value.value}", flush=True)
        else:
            part["status"] = value.status
            part["reason"] = value.reason
            if value.status != "done":
                print(f"  {value.status}: {value.reason}", flush=True)
        part["seconds"] = round(time.monotonic() - start, 1)
        put_text(out, json.dumps(saved, indent=2, ensure_ascii=False) + "\n")


def _provenance(plan: Plan) -> Iterator[Fact]:
    """Say which card, driver, versions and commit; in a process of its own, as it uses CUDA."""
    packages = ("torch", "torchvision", "timm", "pytorch-lightning", "triton")
    card: dict[str, Any] = {"name": platform.processor() or platform.machine(), "driver": None}
    if not plan.dry:
        free, total = torch.cuda.mem_get_info()
        card = {
            "name": torch.cuda.get_device_name(),
            "capability": ".".join(map(str, torch.cuda.get_device_capability())),
            "memory": total,
            "free": free,
            "driver": _driver(),
        }
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except ImportError:
            versions[package] = ""
    yield Fact(
        key="provenance",
        value={
            "card": card,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "versions": versions,
            "cores": os.cpu_count(),
            "commit": commit(),
            "date": now(),
            "command": shlex.join(["python", "-m", "experiments.benchmarks.gpu", *sys.argv[1:]]),
        },
    )


def _driver() -> str:
    path = Path("/proc/driver/nvidia/version")
    return path.read_text().splitlines()[0] if path.exists() else ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.gpu", description="Measure on a GPU; save JSON."
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench-gpu.json"),
        metavar="FILE",
        help="where to save what is measured (default bench-gpu.json)",
    )
    parser.add_argument(
        "--only", choices=PARTS, nargs="+", metavar="PART", help=f"some of {', '.join(PARTS)}"
    )
    parser.add_argument("--peer", type=Path, metavar="TRAIN.PY", help="timm's train.py")
    parser.add_argument(
        "--dry-run", action="store_true", help="run every part on the CPU with tiny sizes"
    )
    options = parser.parse_args()
    if options.peer and not options.peer.is_file():
        parser.error(f"--peer {options.peer} does not exist")
    if not options.out.parent.is_dir():
        parser.error(f"--out {options.out}: there is no folder {options.out.parent}")
    if not options.dry_run and not torch.backends.cuda.is_built():
        parser.error("this torch has no CUDA; --dry-run runs on the CPU")
    return options


if __name__ == "__main__":
    sys.exit(main())
