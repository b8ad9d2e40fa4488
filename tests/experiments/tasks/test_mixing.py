"""Mixup with a ratio for each group of images."""

import pytest
import torch

from experiments.loading.samplers import Share, check_batch
from experiments.tasks.mixing import mix_groups, mixup
from roadmap.edit import replace
from roadmap.errors import Problem
from steps.recipes.load import load_recipe

RECIPE = load_recipe("cifar-enhanced")
BATCH, GROUP, CLASSES = 32, 8, 5


def batch():
    generator = torch.Generator().manual_seed(1)
    return (
        torch.rand(BATCH, 3, 8, 8, generator=generator),
        torch.randint(CLASSES, (BATCH,), generator=generator),
    )


def part(whole, number, count):
    """One of `count` micro-batches: halves from the front and from the back, as the sampler's."""
    half = len(whole) // count // 2
    start, end = number * half, (number + 1) * half
    return torch.cat([whole[start:end], whole[len(whole) - end : len(whole) - start]])


@pytest.mark.parametrize("micro_batches", [1, 2, 4])
def test_groups_have_ratios_of_their_own_however_a_step_is_shared_out(micro_batches):
    recipe = replace(RECIPE, cutmix=0.0, mixup=0.8, label_smoothing=0.0, batch=BATCH)
    mix = mixup(recipe, CLASSES)
    images, labels = batch()
    whole, soft = mix_groups(mix, images, labels, GROUP, key=(3, 7), micro_batch=0)
    for number in range(micro_batches):
        own = part(images, number, micro_batches), part(labels, number, micro_batches)
        mixed, targets = mix_groups(mix, *own, GROUP, key=(3, 7), micro_batch=number)
        assert torch.equal(mixed, part(whole, number, micro_batches))
        assert torch.equal(targets, part(soft, number, micro_batches))
    ratios = set()
    for first in range(BATCH // 2):  # its partner is the one at the same place from the back
        partner = BATCH - 1 - first
        if labels[first] != labels[partner]:
            ratio = soft[first, labels[first]]
            ratios.add(round(float(ratio), 5))
            expected = ratio * images[first] + (1 - ratio) * images[partner]
            assert torch.allclose(whole[first], expected, atol=1e-6)
    assert len(ratios) == BATCH // GROUP


def test_groups_that_do_not_fit_are_refused():
    with pytest.raises(Problem, match="mixup_per 48 must be even and divide batch 256"):
        replace(RECIPE, mixup_per=48)
    check_batch(256, 1000, Share(accumulate=2), 128)
    with pytest.raises(Problem, match="a multiple of 128 images \\(mixup_per\\) each"):
        check_batch(256, 1000, Share(accumulate=4), 128)


def test_a_batch_larger_than_the_data_is_refused_with_one_that_fits():
    with pytest.raises(Problem, match=r"larger than the 31 .* as in --set recipe\.batch=14"):
        check_batch(64, 31, Share())
    check_batch(14, 31, Share())


def test_the_advice_for_two_images_is_a_batch_that_a_recipe_can_have():
    with pytest.raises(Problem, match=r"as in --set recipe\.batch=2$"):
        check_batch(16, 2, Share())
