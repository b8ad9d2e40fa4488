"""Whole training runs against timm's train.py: same network, folder, batch, epochs, threads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import numpy
from PIL import Image

from experiments.benchmarks.measure import Measurement, in_turn, ratio, timed
from experiments.data import fractals
from experiments.data.cache import cache_folder
from experiments.host.limits import cores

NETWORKS = {
    "test_convnext": "aim ≥ 1.3",
    "test_convnext2": "aim ≥ 1.3",
    "convnext_atto": "aim ≥ 1.15",
}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What both runs train; crops and flips are the only augmentation."""

    network: str
    size: int = 64
    batch: int = 64
    epochs: int = 4
    classes: int = 20
    device: str = "cpu"
    workers: int = 1


def against_timm(script: Path, trials: int) -> Iterator[Measurement]:
    """Measure from start to end; both validate after every epoch."""
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images")
        _write(images, size=64)
        for network, aim in NETWORKS.items():
            setup = Setup(network=network)
            runs = (
                partial(our_run, setup, images, Path(folder, "ours")),
                partial(timms_run, script, setup, images, Path(folder, "theirs")),
            )
            ours, theirs = in_turn(trials, *runs)
            yield Measurement(name=f"{network}: ours, start to end", unit="s", trials=tuple(ours))
            yield Measurement(name=f"{network}: train.py", unit="s", trials=tuple(theirs))
            yield ratio(f"{network}: train.py / ours", theirs, ours, aim)


def _write(root: Path, size: int) -> None:
    """Write the built-in images as files: 250 and 25 of each category."""
    origin = fractals.Fractals(size=size, val=25)
    for split, (images, labels) in fractals.load(origin, cache=cache_folder()).items():
        for index, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            path = root / split / f"{label:02}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(numpy.asarray(pixels)).save(path)


def our_run(setup: Setup, images: Path, folder: Path) -> float:
    """Return the seconds of our run; `folder` gets a new folder of runs."""
    changes = {
        "epochs": setup.epochs, "batch": setup.batch, "image_size": setup.size,
        "randaugment": "null", "erasing": 0, "mixup": 0, "cutmix": 0, "crop_scale": "[0.08, 1.0]",
    }  # fmt: skip
    given = [part for key, value in changes.items() for part in ("--set", f"recipe.{key}={value}")]
    seconds, _ = timed(
        "-m", "roadmap", "train", f"timm:{setup.network}", "--data", str(images),
        "--runs", str(_new(folder)), "--threads", str(cores()), "--set", "network.drop_path=0",
        *given,
    )  # fmt: skip
    return seconds


def timms_run(script: Path, setup: Setup, images: Path, folder: Path) -> float:
    """Return the seconds of train.py; `folder` gets a new folder with its output."""
    precision = ["--amp", "--amp-dtype", "bfloat16"] if setup.device == "cuda" else []
    seconds, _ = timed(
        str(script), "--data-dir", str(images), "--model", setup.network,
        "--num-classes", str(setup.classes), "--img-size", str(setup.size),
        "--batch-size", str(setup.batch), "--epochs", str(setup.epochs),
        "--opt", "adamw", "--lr", "2e-3", "--weight-decay", "0.05", "--warmup-epochs", "1",
        "--sched", "cosine", "--smoothing", "0.1", "--color-jitter", "0", "--channels-last",
        "--interpolation", "bicubic", "--train-interpolation", "bicubic",
        "--device", setup.device, *precision, "--workers", str(setup.workers),
        "--log-interval", "1000", "--checkpoint-hist", "1",
        "--output", str(_new(folder)), "--val-split", "val",
        OMP_NUM_THREADS=str(cores()),
    )  # fmt: skip
    return seconds


def _new(folder: Path) -> Path:
    """Return the first of folder/0, folder/1, … that does not exist, made."""
    path = next(path for number in count() if not (path := folder / str(number)).exists())
    path.mkdir(parents=True)
    return path
