"""Whole runs against timm's train.py on the same folder of images."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.benchmarks.gpu.input_path import write_jpegs
from experiments.benchmarks.gpu.part import Skipped
from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import Measurement, in_turn, ratio
from experiments.benchmarks.peer import Setup, our_run, timms_run
from experiments.host.limits import cores


def peer(plan: Plan) -> Iterator[Measurement]:
    """Seconds from start to end, validation after every epoch included in both."""
    if plan.script is None:
        raise Skipped("give timm's train.py: PEER=train.py")
    setup = Setup(
        network="test_convnext" if plan.dry else "convnext_tiny",
        size=plan.size,
        batch=plan.batch,
        epochs=1 if plan.dry else 2,
        classes=2,
        device=plan.device.type,
        workers=1 if plan.dry else max(1, min(8, cores() // 2)),
    )
    with TemporaryDirectory() as folder:
        images = Path(folder, "images")
        write_jpegs(images, 341, 256, 8 if plan.dry else 2048)
        runs = (
            partial(our_run, setup, images, Path(folder, "ours")),
            partial(timms_run, plan.script, setup, images, Path(folder, "theirs")),
        )
        ours, theirs = in_turn(1, *runs)
    yield Measurement(name=f"{setup.network}: ours, start to end", unit="s", trials=tuple(ours))
    yield Measurement(name=f"{setup.network}: train.py", unit="s", trials=tuple(theirs))
    yield ratio(f"{setup.network}: train.py / ours", theirs, ours)
