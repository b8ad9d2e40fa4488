"""Seconds and memory of commands, of more rows and seeds, and of parallel runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy
from PIL import Image

from experiments.benchmarks.measure import Measurement, in_turn, ratio, timed
from experiments.host.machine import cores
from roadmap.record import read_records, write_record

RECORDS = Path(__file__).parents[2] / "results" / "tiny"
COMMANDS = {
    "roadmap --help": (("--help",), "aim < 0.3 s"),
    "roadmap cost": (("cost", "--roadmap", "resnet50"), ""),
    "roadmap table": (("table", "--runs", str(RECORDS)), ""),
}


def commands(trials: int) -> Iterator[Measurement]:
    """Measure seconds and peak memory of commands that train nothing."""
    for name, (command, aim) in COMMANDS.items():
        yield from _both(name, [timed("-m", "roadmap", *command) for _ in range(trials)], aim)
    with tempfile.TemporaryDirectory() as folder:
        for record in read_records(RECORDS).records:
            path = Path(folder, record.identity.run, "record.json")
            path.parent.mkdir(exist_ok=True)
            write_record(record, path)
        command = ("-m", "roadmap", "run", "--runs", folder, "--seeds", "3")
        results = [timed(*command) for _ in range(trials)]
        yield from _both("roadmap run, nothing to do", results, "aim < 3 s")


def _both(name: str, results: list[tuple[float, float]], aim: str = "") -> Iterator[Measurement]:
    seconds, memory = zip(*results, strict=True)
    yield Measurement(name=name, unit="s", trials=seconds, aim=aim)
    yield Measurement(name=f"{name}: peak memory", unit="MB", trials=memory)


def growth() -> Iterator[Measurement]:
    """Measure 1, 2 and 4 rows of similar cost, and 1, 2 and 4 seeds, one run at a time."""
    with tempfile.TemporaryDirectory() as folder:
        _images(Path(folder, "images"))
        for rows, seeds in (("08", 1), ("08,09", 1), ("08,09,10,11", 1), ("08", 2), ("08", 4)):
            runs = Path(folder, f"{rows}-{seeds}")
            command = ["-m", "roadmap", "run", "--rows", rows, "--seeds", str(seeds)]
            command += ["--runs", str(runs), "--data", f"{folder}/images", "--jobs", "1"]
            command += ["--set", "recipe.epochs=20", "--set", "recipe.batch=32"]
            name = f"{rows.count(',') + 1} rows × {seeds} seeds"
            yield from _both(name, [timed(*command)])


def side_by_side(trials: int) -> Iterator[Measurement]:
    """Measure two runs of two epochs: in parallel with one thread each, or one after the other."""
    ways = (("--jobs", "2", "--threads", "1"), ("--jobs", "1", "--threads", str(cores())))
    parallel, after = in_turn(trials, *(partial(_two_runs, way) for way in ways))
    yield Measurement(name="two runs in parallel, 1 thread each", unit="s", trials=tuple(parallel))
    yield Measurement(name="one after the other, all threads", unit="s", trials=tuple(after))
    yield ratio("two runs: in turn / in parallel", after, parallel)


def _two_runs(how: tuple[str, ...]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "roadmap", "run", "--rows", "05,13", "--runs", folder, *how]
        return timed(*command, "--set", "recipe.epochs=2")[0]


def _images(root: Path) -> None:
    """Write two classes of noise: 64 training and 8 validation images."""
    generator = numpy.random.default_rng(0)
    for split, count in (("train", 32), ("val", 4)):
        for name in ("a", "b"):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (48, 48, 3), dtype=numpy.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
