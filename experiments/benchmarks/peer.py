"""Whole training runs against timm's train.py: same network, folder, batch, epochs, threads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy
from PIL import Image

from experiments.benchmarks.measure import Found, in_turn, ratio, timed
from experiments.data import fractals
from experiments.data.cache import cache_folder
from experiments.host.machine import cores

SIZE, BATCH, EPOCHS = 64, 64, 4
NETWORKS = {
    "test_convnext": "aim ≥ 1.3",
    "test_convnext2": "aim ≥ 1.3",
    "convnext_atto": "aim ≥ 1.15",
}


def against_timm(script: Path, trials: int) -> Iterator[Found]:
    """Start to end, validation after every epoch in both; crops and flips as the augmentation."""
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images")
        _write(images)
        for network, aim in NETWORKS.items():
            run = iter(range(1000))
            ours, theirs = in_turn(
                trials,
                lambda n=network, r=run: _ours(n, images, Path(folder, f"ours-{next(r)}-{n}")),
                lambda n=network, r=run: _timms(
                    script, n, images, Path(folder, f"timm-{next(r)}-{n}")
                ),
            )
            yield Found(name=f"{network}: ours, start to end", unit="s", trials=tuple(ours))
            yield Found(name=f"{network}: train.py", unit="s", trials=tuple(theirs))
            yield ratio(f"{network}: train.py / ours", theirs, ours, aim)


def _write(root: Path) -> None:
    """The embedded images at 64 pixels, 250 and 25 of each category, as files."""
    origin = fractals.Fractals(size=SIZE, val=25)
    for split, (images, labels) in fractals.load(origin, cache=cache_folder()).items():
        for index, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            path = root / split / f"{label:02}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(numpy.asarray(pixels)).save(path)


def _ours(network: str, images: Path, runs: Path) -> float:
    changes = {
        "epochs": EPOCHS, "batch": BATCH, "image_size": SIZE, "randaugment": "null",
        "erasing": 0, "mixup": 0, "cutmix": 0, "crop_scale": "[0.08, 1.0]",
    }  # fmt: skip
    given = [part for key, value in changes.items() for part in ("--set", f"recipe.{key}={value}")]
    seconds, _ = timed(
        "-m", "roadmap", "train", f"timm:{network}", "--data", str(images), "--runs", str(runs),
        "--threads", str(cores()), "--set", "network.drop_path=0", *given,
    )  # fmt: skip
    return seconds


def _timms(script: Path, network: str, images: Path, output: Path) -> float:
    seconds, _ = timed(
        str(script), "--data-dir", str(images), "--model", network, "--num-classes", "20",
        "--img-size", str(SIZE), "--batch-size", str(BATCH), "--epochs", str(EPOCHS),
        "--opt", "adamw", "--lr", "2e-3", "--weight-decay", "0.05", "--warmup-epochs", "1",
        "--sched", "cosine", "--smoothing", "0.1", "--color-jitter", "0", "--channels-last",
        "--interpolation", "bicubic", "--train-interpolation", "bicubic", "--device", "cpu",
        "--workers", "1", "--log-interval", "1000", "--checkpoint-hist", "1",
        "--output", str(output), "--val-split", "val",
        OMP_NUM_THREADS=str(cores()),
    )  # fmt: skip
    return seconds
