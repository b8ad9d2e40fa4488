"""Choose how images reach the network, and make the loaders for training and for evaluation."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch

from experiments.data.splits import DataSet, Split, Statistics
from experiments.host.limits import memory_limit
from experiments.host.machine import Decode, Machine
from experiments.loading.augmentation import Augmentation
from experiments.loading.batches import Loader
from experiments.loading.gpu_augmentation import is_supported, working_bytes
from experiments.loading.gpu_decoding import Decoded
from experiments.loading.samplers import EpochSampler, EvaluationSampler, Share
from experiments.loading.scenes import DetectionViews, SceneViews, SegmentationViews
from experiments.loading.views import Evaluated, Held, HeldOnDevice, Plain, Streamed, Views
from roadmap.errors import Problem
from roadmap.spec import Recipe

CPU = torch.device("cpu")
SCENES: dict[str, type[SceneViews]] = {
    "detection": DetectionViews,
    "segmentation": SegmentationViews,
}  # by the name of the task


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How images reach the network: held in memory (on the GPU) or streamed, by `workers`.

    `decode` says what decodes training images that are streamed.
    """

    held: bool
    on_gpu: bool = False
    workers: int = 0
    decode: Decode = "cpu"

    def __str__(self) -> str:
        place = "on the GPU" if self.on_gpu else "in memory"
        held = f"held {place}, augmented there" if self.held else "opened for every epoch"
        if self.decode == "gpu":
            held += ", those of training decoded on the GPU (pixels differ from Pillow's)"
        return held + (
            f", by {self.workers} loading process{'es' * (self.workers > 1)}"
            if self.workers
            else ""
        )


def choose_loading(
    data: DataSet, recipe: Recipe, machine: Machine, device: torch.device = CPU
) -> Loading:
    """Hold the images if they fit in a quarter of the memory, shared among parallel runs.

    In a container, its limit is the memory. `machine.images` overrides the choice: memory or
    stream. A GPU holds the images if they and what augments a batch fit in a quarter of its free
    memory. For a CPU, images in memory get loading processes only if there are cores to spare. A
    GPU is always served by some: it is faster than one process can draw or augment.
    """
    cropped = len(data.val) + (len(data.train) if recipe.crop_scale is None else 0)
    evaluated = 3 * max(recipe.image_size, recipe.evaluated_size) ** 2 * cropped
    if recipe.task is not None:
        return _of_scenes(data, machine, device)
    if machine.decode == "gpu":
        _check_decoding(data, recipe)
        return Loading(held=False, workers=machine.workers, decode="gpu")
    needed = data.train.bytes + data.val.bytes + evaluated
    fits = needed <= memory_limit() / 4 / (machine.jobs * machine.devices)
    held = fits if machine.images == "auto" else machine.images == "memory"
    if not held:
        return Loading(held=False, workers=machine.workers)
    on_gpu = device.type == "cuda"
    if on_gpu and is_supported(Augmentation(recipe, Statistics())):
        batch = recipe.batch // (machine.world * machine.accumulate)
        needed += working_bytes(recipe, batch, data.train.longest)
        free, _total = torch.cuda.mem_get_info(device)
        if needed <= free / 4:
            # A spawned process would need the images on the GPU too.
            workers = machine.workers if sys.platform == "linux" else 0
            return Loading(held=True, on_gpu=True, workers=workers)
    return Loading(held=True, workers=machine.workers if machine.threads > 2 or on_gpu else 0)


def _of_scenes(data: DataSet, machine: Machine, device: torch.device) -> Loading:
    """Hold decoded images as above; they are augmented on the CPU."""
    if machine.decode == "gpu":
        raise Problem("--decode gpu is for classification; leave it out")
    fits = data.train.bytes + data.val.bytes <= memory_limit() / 4 / (
        machine.jobs * machine.devices
    )
    held = fits if machine.images == "auto" else machine.images == "memory"
    # A GPU trains faster than one process can augment.
    spare = machine.threads > 2 or device.type == "cuda" or not held
    return Loading(held=held, workers=machine.workers if spare else 0)


def _check_decoding(data: DataSet, recipe: Recipe) -> None:
    """Raise Problem unless a GPU can decode and augment the training images here."""
    if not torch.cuda.is_available():
        raise Problem("--decode gpu needs a GPU that torch can use; here is none")
    augmented = recipe.crop_scale is not None
    if not augmented or not is_supported(Augmentation(recipe, Statistics())):
        raise Problem("--decode gpu cannot do this recipe's augmentation; leave it out")
    if data.train.files is None:
        raise Problem(f"--decode gpu reads JPEG files; data {data.source.name} has none")


def train_loader(
    data: DataSet,
    recipe: Recipe,
    seed: int,
    *,
    share: Share,
    loading: Loading,
    device: torch.device = CPU,
) -> Loader:
    """Return batches of augmented training images on `device`, the same however they are loaded."""
    statistics = data.statistics(recipe)
    views: Views
    if recipe.task is not None:
        views = SCENES[recipe.task_name](data.train, recipe, statistics, seed)
    elif recipe.crop_scale is None:
        plain = _evaluated(data, "train", recipe, loading, device)
        assert isinstance(plain, Evaluated)
        views = Plain(plain)
    elif loading.on_gpu:
        views = HeldOnDevice(data.train, recipe, seed, statistics, device)
    elif loading.decode == "gpu":
        views = Decoded(data.train, recipe, seed, statistics, device)
    elif loading.held:
        views = Held(data.train, recipe, seed, statistics)
    else:
        views = Streamed(data.train, recipe, seed, statistics)
    labels = data.train.labels if recipe.sampling == "balanced" else None
    sampler = EpochSampler(len(data.train), recipe.batch, seed, share, labels, recipe.repeats)
    return Loader(views, sampler, loading.workers, device)


def evaluation_loader(
    data: DataSet,
    recipe: Recipe,
    *,
    share: Share,
    loading: Loading,
    device: torch.device = CPU,
) -> Loader:
    """Return batches of all validation images, each exactly once over all processes."""
    views = _evaluated(data, "val", recipe, loading, device)
    batch = recipe.batch // share.micro_batches
    if recipe.task is None:  # others need much memory for each image
        batch = max(batch, 128)
    sampler = EvaluationSampler(len(data.val), batch, share)
    return Loader(views, sampler, 0 if loading.on_gpu else loading.workers, device)


def _evaluated(
    data: DataSet, name: str, recipe: Recipe, loading: Loading, device: torch.device
) -> Views:
    split = data.train if name == "train" else data.val
    place = device if loading.on_gpu else None
    size = recipe.image_size if name == "train" else recipe.evaluated_size
    statistics = data.statistics(recipe)
    return evaluation_views(split, recipe, statistics, hold=loading.held, device=place, size=size)


def evaluation_views(
    split: Split,
    recipe: Recipe,
    statistics: Statistics,
    *,
    hold: bool = False,
    device: torch.device | None = None,
    size: int | None = None,
) -> Views:
    """Return batches of images as they are evaluated; see `Evaluated`."""
    if recipe.task is not None:
        return SCENES[recipe.task_name](split, recipe, statistics)
    return Evaluated(split, recipe, statistics, hold=hold, device=device, size=size)
