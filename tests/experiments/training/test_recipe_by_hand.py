"""A run's weights, compared with those of a loop written here from the recipe alone."""

import copy
import math

import numpy
import pytest
import torch
from PIL import Image

from experiments.host.machine import Machine
from experiments.job import Job
from experiments.launch.run import train
from experiments.loading.samplers import EpochSampler
from experiments.request import Request
from experiments.settings import Settings
from experiments.training.checkpoint import read_checkpoint
from roadmap.network import build

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PLAIN = {
    "recipe.epochs": 3, "recipe.batch": 12, "recipe.base_batch": 6, "recipe.image_size": 32,
    "recipe.crop_scale": None, "recipe.flip": 0.0, "recipe.randaugment": None,
    "recipe.erasing": 0.0, "recipe.mixup": 0.0, "recipe.cutmix": 0.0, "network.drop_path": 0.0,
    "recipe.evaluation_crop": 1.0, "recipe.learning_rate": 2e-3,
}  # fmt: skip
ENHANCED = {
    "recipe.betas": [0.7, 0.95], "recipe.weight_decay": 0.3, "recipe.label_smoothing": 0.3,
    "recipe.warmup_epochs": 1.0, "recipe.final_learning_rate": 5e-4, "recipe.ema": 0.8,
}  # fmt: skip
OLD = {
    "recipe.momentum": 0.6,
    "recipe.weight_decay": 0.1,
    "recipe.step_epochs": 1.0,
    "recipe.step_factor": 0.3,
    "recipe.warmup_epochs": 0.0,
}
STEPS = 36 // 12  # an epoch


@pytest.mark.slow
@pytest.mark.parametrize(("row", "changes"), [("13", ENHANCED), ("00", OLD)])
def test_a_run_takes_the_steps_that_its_recipe_defines(images, tmp_path, row, changes):
    """Optimizer, decay, rate of every step, smoothing, momentum, average: each as written down."""
    settings = Settings(data=str(images), overrides=PLAIN | changes, runs=tmp_path)
    asked = Request(settings=settings, row=row, seed=4)
    machine = Machine(threads=1, workers=0, keep="last")
    train(Job(request=asked, machine=machine))
    saved = read_checkpoint(asked.folder / "last.ckpt")["state_dict"]
    weights, average = by_hand(asked, adamw=row == "13")
    assert_close(saved, "network.", weights)
    if row == "13":
        assert_close(saved, "averaged.module.", average)
        assert any((average[name] - each).abs().max() > 1e-4 for name, each in weights.items())
    else:
        assert not any(name.startswith("averaged.") for name in saved)


def assert_close(saved, prefix, weights):
    for name, each in weights.items():
        assert torch.allclose(saved[prefix + name], each, atol=2e-6, rtol=1e-4), name


def by_hand(asked, *, adamw):
    torch.set_num_threads(1)
    torch.manual_seed(asked.seed)
    recipe = asked.spec.recipe
    network = build(asked.spec.network, 32).to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network)
    shapes = [
        [each for each in network.parameters() if each.ndim > 1],
        [each for each in network.parameters() if each.ndim <= 1],
    ]
    if adamw:
        groups = [
            {"params": shapes[0], "weight_decay": 0.3},
            {"params": shapes[1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, betas=(0.7, 0.95), foreach=False)
    else:
        optimizer = torch.optim.SGD(
            network.parameters(), momentum=0.6, weight_decay=0.1, lr=1.0, foreach=False
        )
    pixels, labels = opened(asked)
    order = EpochSampler(36, 12, asked.seed)
    assert (recipe.batch, recipe.epochs) == (12, 3)
    for epoch in range(3):
        order.set_epoch(epoch)
        for number, keys in enumerate(order):
            for group in optimizer.param_groups:
                group["lr"] = rate(epoch * STEPS + number, adamw=adamw)
            indices = [index for _, index in keys]
            logits = network(pixels[indices].contiguous(memory_format=torch.channels_last))
            loss = smoothed(logits, labels[indices], 0.3 if adamw else 0.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for mean, now in zip(average.parameters(), network.parameters(), strict=True):
                    mean.copy_(0.8 * mean + 0.2 * now)
    return dict(network.named_parameters()), dict(average.named_parameters())


def rate(step, *, adamw):
    """Learning rate of a step: 2e-3 at a batch of 6 is 4e-3 at 12."""
    if not adamw:
        return 4e-3 * 0.3 ** (step // STEPS)
    if step < STEPS:
        return 4e-3 * step / STEPS
    done = (step - STEPS) / (2 * STEPS)
    return 5e-4 + (4e-3 - 5e-4) * (1 + math.cos(math.pi * done)) / 2


def smoothed(logits, labels, smoothing):
    wanted = torch.full_like(logits, smoothing / logits.shape[1])
    wanted[range(len(labels)), labels] += 1 - smoothing
    return -(wanted * logits.log_softmax(1)).sum(1).mean()


def opened(asked):
    samples = asked.settings.source.samples["train"]
    arrays = [numpy.asarray(Image.open(file.path)) for file, _ in samples]
    pixels = torch.from_numpy(numpy.stack(arrays)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
    return (pixels - mean) / std, torch.tensor([label for _, label in samples])
