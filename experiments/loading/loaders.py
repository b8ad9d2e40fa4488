"""Images as batches: from files through loading processes, or held in memory and augmented there.

A training image is a function of (seed, epoch, index) and nothing else: not of the number of
loading processes, nor of what was loaded before, nor of the way – both give the same bits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy
import torch
from timm.data import create_transform
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from experiments.data.splits import DataSet, Split, Statistics
from experiments.host.machine import Machine
from experiments.host.signals import ignore_stop_signals
from experiments.loading import gpu_augmentation as batched
from experiments.loading.augmentation import Augmentation, normalize
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import NO_IMAGE, EpochSampler, EvaluationSampler, Key, Share
from roadmap.spec import Recipe

CPU = torch.device("cpu")
Batch = tuple[Tensor, Tensor]  # images (batch, 3, size, size), channels last; labels (batch,)


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How images get to the network: held in memory (on the GPU) or streamed, by `workers`."""

    held: bool
    on_gpu: bool = False
    workers: int = 0

    def __str__(self) -> str:
        place = "on the GPU" if self.on_gpu else "in memory"
        held = f"held {place}, augmented there" if self.held else "opened for every epoch"
        return held + (
            f", by {self.workers} loading process{'es' * (self.workers > 1)}"
            if self.workers
            else ""
        )


def choose_loading(data: DataSet, recipe: Recipe, machine: Machine) -> Loading:
    """Hold the images where they fit in a quarter of the memory, shared among runs at a time.

    `machine.images` can decide it: memory or stream. Held images need no loading processes unless
    there are cores to spare.
    """
    cut = len(data.val) + (len(data.train) if recipe.crop_scale is None else 0)
    evaluated = 3 * recipe.image_size**2 * cut
    needed = data.train.bytes + data.val.bytes + evaluated
    fits = needed <= _memory() / 4 / (machine.jobs * machine.devices)
    held = fits if machine.images == "auto" else machine.images == "memory"
    if not held:
        return Loading(held=False, workers=machine.workers)
    if torch.cuda.is_available() and batched.is_supported(recipe):
        free, _total = torch.cuda.mem_get_info()
        if needed <= free / 4:
            return Loading(held=True, on_gpu=True)
    return Loading(held=True, workers=machine.workers if machine.threads > 2 else 0)


def _memory() -> int:
    """Bytes of memory in this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Streamed(Dataset):
    """Training batches whose images are opened, and augmented by timm, one by one."""

    def __init__(self, split: Split, recipe: Recipe, seed: int, statistics: Statistics) -> None:
        self.split, self.seed = split, seed
        self.transform = create_transform(
            recipe.image_size,
            is_training=True,
            scale=recipe.crop_scale,
            hflip=recipe.flip,
            color_jitter=None,
            auto_augment=recipe.randaugment,
            interpolation=recipe.interpolation,
            re_prob=recipe.erasing,
            re_mode="pixel",
            mean=statistics.mean,
            std=statistics.std,
        )

    def __getitem__(self, keys: Sequence[Key]) -> Batch:
        made = []
        with isolated_rng():
            for epoch, index in keys:
                image = self.split.image(index)
                seed_rng(self.seed, epoch, index)
                made.append(self.transform(image))
        images = torch.stack(made).contiguous(memory_format=torch.channels_last)
        return images, _labels(self.split, keys)


class Held(Dataset):
    """The same batches from images held in memory, or on a GPU."""

    def __init__(
        self,
        split: Split,
        recipe: Recipe,
        seed: int,
        statistics: Statistics,
        device: torch.device | None = None,
    ) -> None:
        self.split, self.seed = split, seed
        self.augmentation = Augmentation(recipe, statistics)
        self.tensors = None
        if device is not None:
            self.tensors = [
                torch.from_numpy(numpy.array(each)).to(device).permute(2, 0, 1)
                for each in self.split.arrays
            ]

    def __getitem__(self, keys: Sequence[Key]) -> Batch:
        arrays, drawn = [self.split.arrays[index] for _, index in keys], []
        with isolated_rng():
            for (epoch, index), array in zip(keys, arrays, strict=True):
                seed_rng(self.seed, epoch, index)
                drawn.append(self.augmentation.draw(*array.shape[:2]))
        if self.tensors is None:
            images = self.augmentation.apply(arrays, drawn)
        else:
            images = batched.apply(
                self.augmentation, [self.tensors[index] for _, index in keys], drawn
            )
        return images, _labels(self.split, keys)


def _labels(split: Split, keys: Sequence[Key]) -> Tensor:
    return torch.from_numpy(split.labels[[index for _, index in keys]])


class Evaluated(Dataset):
    """Batches of resized, centre-cropped images; those held are resized and cropped once."""

    def __init__(self, split: Split, recipe: Recipe, statistics: Statistics, *, hold: bool) -> None:
        self.split, self.statistics = split, statistics
        self.transform = create_transform(
            recipe.image_size,
            interpolation=recipe.interpolation,
            crop_pct=recipe.evaluation_crop,
            use_prefetcher=True,  # leaves out the normalization, done below for a whole batch
        )
        self.kept = torch.stack([self._made(i) for i in range(len(split))]) if hold else None

    def _made(self, index: int) -> Tensor:
        """(height, width, 3), uint8."""
        made = self.transform(self.split.image(index))  # (3, height, width)
        return torch.as_tensor(made).permute(1, 2, 0).contiguous()

    def __getitem__(self, indices: Sequence[int]) -> Batch:
        labels = [int(self.split.labels[i]) if i != NO_IMAGE else NO_IMAGE for i in indices]
        there = [max(index, 0) for index in indices]
        if self.kept is None:
            images = torch.stack([self._made(index) for index in there])
        else:
            images = self.kept[there]
        return normalize(images.permute(0, 3, 1, 2), self.statistics), torch.tensor(labels)


class Plain(Dataset):
    """Training batches without augmentation: cut as for evaluation."""

    def __init__(self, evaluated: Evaluated) -> None:
        self.evaluated = evaluated

    def __getitem__(self, keys: Sequence[Key]) -> Batch:
        return self.evaluated[[index for _, index in keys]]


def train_loader(
    data: DataSet,
    recipe: Recipe,
    seed: int,
    *,
    share: Share,
    loading: Loading,
    device: torch.device = CPU,
) -> DataLoader:
    """Batches of augmented training images, the same however they are loaded."""
    statistics = data.statistics(recipe)
    if recipe.crop_scale is None:
        views: Dataset = Plain(Evaluated(data.train, recipe, statistics, hold=loading.held))
    elif loading.held:
        views = Held(data.train, recipe, seed, statistics, device if loading.on_gpu else None)
    else:
        views = Streamed(data.train, recipe, seed, statistics)
    return _loader(views, EpochSampler(len(data.train), recipe.batch, seed, share), loading)


def evaluation_loader(
    data: DataSet,
    recipe: Recipe,
    *,
    share: Share,
    loading: Loading,
    device: torch.device = CPU,
) -> DataLoader:
    """Batches of all validation images, each exactly once over all processes."""
    views = Evaluated(data.val, recipe, data.statistics(recipe), hold=loading.held)
    batch = max(recipe.batch // share.micro_batches, 128)
    return _loader(views, EvaluationSampler(len(data.val), batch, share), loading)


def _loader(views: Dataset, batches: Sampler, loading: Loading) -> DataLoader:
    return DataLoader(
        views,
        sampler=batches,
        batch_size=None,  # the sampler's own
        num_workers=loading.workers,
        persistent_workers=loading.workers > 0,
        pin_memory=torch.cuda.is_available() and not loading.on_gpu,
        generator=torch.Generator(),
        # A spawned job would spawn its loaders too: five seconds of imports, a copy of the images.
        multiprocessing_context="fork" if loading.workers and sys.platform == "linux" else None,
        # A signal to the whole group is for the run, which saves first.
        worker_init_fn=partial(ignore_stop_signals, os.getpid()),
    )
