"""Samplers: each image once, the same images in a step however it is shared."""

from collections import Counter

import pytest

from experiments.loading.samplers import NO_IMAGE, EpochSampler, EvaluationSampler, Share
from roadmap.errors import Problem


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 1001])
@pytest.mark.parametrize("batch", [1, 4, 128])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_evaluation_counts_each_image_once(size, batch, world):
    shares = [
        list(EvaluationSampler(size, batch, Share(rank=rank, world=world))) for rank in range(world)
    ]
    assert len({tuple(map(len, each)) for each in shares}) == 1  # as many batches, of one size
    found = [index for each in shares for part in each for index in part if index != NO_IMAGE]
    assert sorted(found) == list(range(size))


@pytest.mark.parametrize(("world", "accumulate"), [(1, 4), (2, 1), (2, 2), (4, 1)])
def test_a_step_sees_the_same_images_and_pairs_however_it_is_shared(world, accumulate):
    whole = list(EpochSampler(70, 16, seed=1))
    shared = [[] for _ in whole]
    for rank in range(world):
        share = Share(rank=rank, world=world, accumulate=accumulate)
        batches = list(EpochSampler(70, 16, seed=1, share=share))
        assert len(batches) == 4 * accumulate
        for number, batch in enumerate(batches):
            shared[number // accumulate].append(batch)
    for step, parts in zip(whole, shared, strict=True):
        assert sorted(key for part in parts for key in part) == sorted(step)
        pairs = {frozenset(pair) for pair in zip(step, step[::-1], strict=True)}
        for part in parts:
            assert {frozenset(pair) for pair in zip(part, part[::-1], strict=True)} <= pairs


def test_a_batch_that_cannot_be_shared_out_is_named():
    with pytest.raises(
        Problem, match="batch 10 cannot be shared out among 2 devices × 2 micro-batches"
    ):
        EpochSampler(70, 10, seed=0, share=Share(world=2, accumulate=2))


@pytest.mark.parametrize("share", [Share(), Share(rank=1, world=2), Share(accumulate=2)])
def test_an_epoch_gone_on_with_sees_the_rest_of_its_samples(share):
    whole = EpochSampler(50, 8, seed=3, share=share)
    whole.set_epoch(2)
    expected = list(whole)
    for done in range(len(whole) + 1):
        rest = EpochSampler(50, 8, seed=3, share=share)
        rest.resume(2, done)
        rest.set_epoch(2)  # as Lightning does
        seen = expected[:done] + list(rest)
        assert Counter(map(tuple, seen)) == Counter(map(tuple, expected))
        rest.set_epoch(3)
        assert len(list(rest)) == len(whole)
