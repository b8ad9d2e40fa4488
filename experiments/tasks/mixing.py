"""Mixup and cutmix of a batch, with one ratio a step or one for each group of images."""

from __future__ import annotations

import torch
from timm.data import Mixup
from torch import Tensor

from experiments.loading.rng import seed_rng
from roadmap.spec import Recipe


def mixup(recipe: Recipe, classes: int) -> Mixup | None:
    """Return timm's mixup and cutmix, or None if the recipe has neither."""
    if not (recipe.mixup or recipe.cutmix):
        return None
    return Mixup(
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        switch_prob=recipe.mixup_switch,
        label_smoothing=recipe.label_smoothing,
        num_classes=classes,
    )


def mix_groups(
    mix: Mixup, images: Tensor, labels: Tensor, size: int, *, key: tuple[int, int], micro_batch: int
) -> tuple[Tensor, Tensor]:
    """Mix each group of `size` images with a ratio of its own, as one process of many would.

    Images are (batch, 3, height, width), labels (batch,); the soft labels are (batch, classes). A
    group is the next half of it from the front and from the back of the micro-batch, so that the
    groups of a step do not depend on how the step is shared out. `key` is (seed, step).
    """
    half, count = size // 2, len(images) // size
    mixed, soft = images.clone(), []
    ends = []
    for number in range(count):
        start, end = number * half, (number + 1) * half
        front, back = slice(start, end), slice(len(images) - end, len(images) - start)
        seed_rng(*key, micro_batch * count + number, size)
        group, targets = mix(
            torch.cat([images[front], images[back]]), torch.cat([labels[front], labels[back]])
        )
        mixed[front], mixed[back] = group[:half], group[half:]
        soft.append(targets[:half])
        ends.append(targets[half:])
    return mixed, torch.cat([*soft, *reversed(ends)])
