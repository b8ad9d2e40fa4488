"""A recipe's optimizer, schedule, mixup and average of the weights, all of them timm's."""

from __future__ import annotations

from typing import Any

import torch
from timm.data import Mixup
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler, StepLRScheduler
from timm.scheduler.scheduler import Scheduler
from timm.utils import ModelEmaV3
from torch import nn

from roadmap.spec import Recipe


def average(network: nn.Module, recipe: Recipe) -> ModelEmaV3 | None:
    """Return timm's moving average of the weights, or None if the recipe has none."""
    if not recipe.ema:
        return None
    averaged = ModelEmaV3(network, decay=recipe.ema)
    averaged.requires_grad_(False)
    return averaged


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


def scaled_rate(recipe: Recipe) -> float:
    """Return the learning rate, scaled to the recipe's batch."""
    return recipe.learning_rate * recipe.batch / recipe.base_batch


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return timm's optimizer at the scaled learning rate.

    With `layer_decay` each parameter group has a factor `lr_scale`, which the schedule applies.
    """
    own: dict[str, Any] = {"betas": recipe.betas} if recipe.optimizer == "adamw" else {}
    return create_optimizer_v2(
        network,
        opt={"sgd": "momentum", "adamw": "adamw"}[recipe.optimizer],
        lr=scaled_rate(recipe),
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        filter_bias_and_bn=not recipe.decay_norms_and_biases,
        layer_decay=recipe.layer_decay if recipe.layer_decay < 1 else None,
        fused=True,
        **own,
    )


def make_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, steps_per_epoch: int
) -> Scheduler:
    """Return timm's schedule in optimizer steps: linear warm-up from 0, then steps or a cosine."""
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    shared: dict[str, Any] = {
        "warmup_t": warmup,
        "warmup_lr_init": 0.0,
        "warmup_prefix": True,
        "t_in_epochs": False,
    }
    if recipe.schedule == "step":
        decay = max(1, round(recipe.step_epochs * steps_per_epoch))
        return StepLRScheduler(optimizer, decay_t=decay, decay_rate=recipe.step_factor, **shared)
    return CosineLRScheduler(
        optimizer,
        t_initial=max(1, recipe.epochs * steps_per_epoch - warmup),
        lr_min=recipe.final_learning_rate,
        **shared,
    )
