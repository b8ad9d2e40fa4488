"""A recipe's optimizer, schedule, mixup and average of the weights, all of them timm's."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from timm.loss import BinaryCrossEntropy, SoftTargetCrossEntropy
from timm.optim import (
    create_optimizer_v2,
    param_groups_layer_decay,
    param_groups_weight_decay,
)
from timm.scheduler import (
    CosineLRScheduler,
    MultiStepLRScheduler,
    PolyLRScheduler,
    StepLRScheduler,
)
from timm.scheduler.scheduler import Scheduler
from timm.utils import ModelEmaV3
from torch import nn

from roadmap.errors import Problem
from roadmap.optimizers import OPTIMIZERS
from roadmap.spec import Recipe


def average(network: nn.Module, recipe: Recipe) -> ModelEmaV3 | None:
    """Return timm's moving average of the weights, or None if the recipe has none."""
    if not recipe.ema:
        return None
    averaged = ModelEmaV3(network, decay=recipe.ema)
    averaged.requires_grad_(False)
    return averaged


def scaled_rate(recipe: Recipe) -> float:
    """Return the learning rate, scaled to the recipe's batch."""
    return recipe.learning_rate * recipe.batch / recipe.base_batch


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return timm's optimizer at the scaled learning rate.

    With `layer_decay` each parameter group has a factor `lr_scale`, which the schedule applies.
    """
    options: dict[str, Any] = dict(recipe.optimizer_options or {})
    if recipe.optimizer in ("sgd", "adamw"):
        options["fused"] = True
    if recipe.optimizer == "adamw":
        options.setdefault("betas", recipe.betas)
    momentum = OPTIMIZERS[recipe.optimizer].get("momentum", recipe.momentum)
    return create_optimizer_v2(
        network,
        opt="momentum" if recipe.optimizer == "sgd" else recipe.optimizer,
        lr=scaled_rate(recipe),
        momentum=options.pop("momentum", momentum),
        weight_decay=recipe.weight_decay,
        filter_bias_and_bn=not recipe.decay_norms_and_biases,
        layer_decay=recipe.layer_decay if recipe.layer_decay < 1 else None,
        param_group_fn=partial(_groups, recipe=recipe) if recipe.no_decay else None,
        **options,
    )


def _groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Return timm's parameter groups, without weight decay where `no_decay` says so.

    Raises Problem for a pattern that names no parameter.
    """
    names = [name for name, _ in network.named_parameters()]
    for pattern in recipe.no_decay:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise Problem(f"recipe.no_decay: {pattern!r} names no parameter; one is {names[0]}")
    chosen: dict[str, Any] = {
        "weight_decay": recipe.weight_decay,
        "weight_decay_exclude_1d": not recipe.decay_norms_and_biases,
        "no_weight_decay_list": recipe.no_decay,
    }
    if recipe.layer_decay < 1:
        return param_groups_layer_decay(network, layer_decay=recipe.layer_decay, **chosen)
    return param_groups_weight_decay(network, **chosen)


def make_losses(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    """Return the losses of soft labels (batch, classes) and of labels (batch,)."""
    if recipe.loss == "binary_cross_entropy":
        loss = BinaryCrossEntropy(
            smoothing=recipe.label_smoothing, target_threshold=recipe.target_threshold
        )
        return loss, loss
    return SoftTargetCrossEntropy(), nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)


def make_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, steps_per_epoch: int
) -> Scheduler:
    """Return timm's schedule in optimizer steps: linear warm-up from 0, then as the recipe says."""
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
    if recipe.schedule == "multistep":
        # They count from the start of the warm-up. timm's take effect one step before.
        milestones = [round(epoch * steps_per_epoch) + 1 for epoch in recipe.milestones]
        return MultiStepLRScheduler(
            optimizer,
            decay_t=milestones,
            decay_rate=recipe.step_factor,
            **shared | {"warmup_prefix": False},
        )
    falling: dict[str, Any] = {
        "t_initial": max(1, recipe.epochs * steps_per_epoch - warmup),
        "lr_min": recipe.final_learning_rate,
        **shared,
    }
    if recipe.schedule == "poly":
        return PolyLRScheduler(optimizer, power=recipe.power, **falling)
    return CosineLRScheduler(optimizer, **falling)
