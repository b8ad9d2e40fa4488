"""How fast images get to the network, and what the training process asks of torch for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
import torch
from PIL import Image

from experiments.benchmarks.gpu.noise import Noise
from experiments.benchmarks.gpu.operations import Counted
from experiments.benchmarks.gpu.part import Fact
from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import Measurement, seconds_each
from experiments.data.folder import Folder
from experiments.data.prepare import Preparation
from experiments.data.prepared import Prepared
from experiments.data.splits import DataSet, Statistics, open_data
from experiments.host.limits import cores
from experiments.loading.batches import Loader
from experiments.loading.loaders import Loading, train_loader
from experiments.loading.samplers import Share
from experiments.loading.views import HeldOnDevice
from roadmap.edit import replace
from roadmap.spec import Recipe
from steps.recipes.load import load_recipe

COUNTED = (64, 256, 1024)
PIXELS = 64
IMAGES = 4096  # in one timing, at least
STREAMED = 64  # images in a batch: an epoch of the 1,024 photos has more batches than workers


def input_path(plan: Plan) -> Iterator[Measurement | Fact]:
    """Images per second with recipe cifar-enhanced at 64 px, held and streamed; operations."""
    recipe = replace(load_recipe("cifar-enhanced"), image_size=PIXELS)
    yield Fact(key="operations_per_batch", value=operations_per_batch())
    held = open_data(Noise(count=plan.images, size=PIXELS))
    workers = 0 if plan.dry else max(1, min(8, cores() // 2))
    for batch in plan.batches:
        for count in sorted({0, workers}):
            loading = Loading(held=True, on_gpu=True, workers=count)
            name = f"held, batch {batch}, {count} workers"
            aim = "aim ≥ 20,000" if count == workers else ""
            yield _speed(plan, held, recipe, batch, loading, name, aim)
    with TemporaryDirectory() as folder:
        photos = Path(folder, "photos")
        write_jpegs(photos, 500, 375, 4 if plan.dry else 512)
        yield from _streamed(plan, Folder.read(str(photos), None), "JPEG 500×375", workers)
        copy = prepared(photos, Path(folder, "copy"))
        yield from _streamed(plan, copy, "prepared 341×256", workers)


def prepared(photos: Path, out: Path) -> Folder:
    """Write a copy of the photos as `roadmap prepare-data --short-side 256` does; return it."""
    source = Folder.read(str(photos), None)
    how = Prepared.here(source=source.fingerprint, short_side=256, quality=90)
    made = Preparation(source=source, root=photos, out=out, how=how, workers=cores())
    return made.run(lambda what, done, total: None, lambda line: None)


def _streamed(plan: Plan, source: Folder, kind: str, workers: int) -> Iterator[Measurement]:
    data = open_data(source)
    recipe = replace(load_recipe("imagenet-enhanced"), image_size=plan.size)
    loading = Loading(held=False, workers=workers)
    name = f"streamed, {kind}, {workers} workers"
    yield _speed(plan, data, recipe, STREAMED, loading, name)
    places = range(0, len(data.train), max(1, len(data.train) // 64))
    seconds = seconds_each(
        lambda: [data.train.image(index) for index in places], 1, torch.device("cpu")
    )
    speed = len(places) / seconds
    yield Measurement(name=f"decoding {kind}, one core", unit="img/s", trials=(speed,))


def operations_per_batch() -> dict[str, int]:
    """Count what the training process issues for a batch of held images, by its size."""
    recipe = load_recipe("cifar-enhanced")
    data = open_data(Noise(count=max(COUNTED), size=recipe.image_size))
    views = HeldOnDevice(data.train, recipe, 0, Statistics(), torch.device("cpu"))
    counts = {}
    for batch in COUNTED:
        # Loading processes decide what happens to each image: not counted.
        decided = views.pick([(0, index) for index in range(batch)])
        with Counted() as counted:
            views.finish(decided)
        counts[str(batch)] = sum(counted.operations.values())
    return counts


def _speed(
    plan: Plan,
    data: DataSet,
    recipe: Recipe,
    batch: int,
    loading: Loading,
    name: str,
    aim: str = "",
) -> Measurement:
    batch = min(batch, len(data.train))
    loader = train_loader(
        data,
        replace(recipe, batch=batch),
        0,
        share=Share(),
        loading=loading,
        device=plan.device,
    )
    batches = (images for epoch in cycle([loader]) for images in epoch)
    early = 2 * made_ahead(loader)  # in steady state no batch was made before it was timed
    steps = 1 if plan.dry else max(2, early, IMAGES // batch)
    seconds_each(lambda: next(batches), 2 + early, plan.device)
    trials = tuple(
        batch / seconds_each(lambda: next(batches), steps, plan.device)
        for _ in range(2 if plan.dry else 3)
    )
    return Measurement(name=name, unit="img/s", trials=trials, aim=aim)


def made_ahead(loader: Loader) -> int:
    """Return the number of batches that loading processes make before they are asked for."""
    return loader.num_workers * (loader.prefetch_factor or 0)


def write_jpegs(root: Path, width: int, height: int, count: int) -> None:
    """Write `count` training images of each of two classes: smooth noise, quality 90."""
    generator = numpy.random.default_rng(0)
    for split, number in (("train", count), ("val", 2)):
        for name in ("a", "b"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(number):
                coarse = generator.integers(0, 256, (height // 8, width // 8, 3), numpy.uint8)
                image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
                image.save(folder / f"{index}.jpg", "JPEG", quality=90)
