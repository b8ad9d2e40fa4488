"""Mean IoU and pixel accuracy: against torchmetrics, and the exact share of each image."""

import numpy
import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_jaccard_index

from experiments.data.scene import UNLABELLED
from experiments.data.splits import held_split
from experiments.tasks.pixel_accuracy import confusion, pixel_results
from experiments.tasks.segmentation import SegmentationTask
from roadmap.errors import Problem
from steps.recipes.load import load_recipe

NAMES = ("ground", "cat", "dog", "bird", "fish")


def maps(seed, *, images=8, classes=4):
    """Label maps of several sizes and predictions that are right for two of three pixels."""
    draw = numpy.random.default_rng(seed)
    pairs = []
    for _ in range(images):
        shape = draw.integers(4, 20, 2)
        true = draw.integers(0, classes, shape).astype(numpy.uint8)
        guess = numpy.where(draw.random(shape) < 0.66, true, draw.integers(0, classes, shape))
        true[draw.random(shape) < 0.1] = UNLABELLED
        pairs.append((guess, true))
    return pairs


def measured(pairs, names=NAMES):
    matrices = [confusion(guess, true, classes=len(names)) for guess, true in pairs]
    return {result.key: result for result in pixel_results(matrices, names=names)}


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_those_of_torchmetrics(seed):
    pairs = maps(seed)
    guess, true = (torch.from_numpy(numpy.concatenate([p[i].ravel() for p in pairs])).long()
                   for i in (0, 1))  # fmt: skip
    known = {"num_classes": 4, "ignore_index": UNLABELLED}
    results = measured(pairs, NAMES[:4])
    assert results["miou"].value == pytest.approx(
        float(multiclass_jaccard_index(guess, true, average="macro", **known))
    )
    assert results["pixel_accuracy"].value == pytest.approx(
        float(multiclass_accuracy(guess, true, average="micro", **known))
    )
    by_class = multiclass_jaccard_index(guess, true, average="none", **known)
    assert [results[f"iou:{name}"].value for name in NAMES[:4]] == pytest.approx(by_class.tolist())


def test_a_class_that_occurs_nowhere_is_left_out_of_the_mean():
    results = measured(maps(1))
    assert "iou:fish" not in results
    assert results["miou"].value == pytest.approx(
        numpy.mean([results[f"iou:{name}"].value for name in NAMES[:4]])
    )


def test_a_class_that_is_only_predicted_counts_as_0():
    true = numpy.zeros((2, 2), dtype=numpy.uint8)
    guess = numpy.array([[0, 0], [0, 1]])
    results = measured([(guess, true), (guess, true)])
    assert results["iou:cat"].value == 0
    assert results["miou"].value == pytest.approx((0.75 + 0) / 2)


def test_leaving_an_image_out_equals_measuring_without_it():
    pairs = maps(5)
    pairs[2][0][0, 0], pairs[2][1][0, 0] = 4, 1  # only image 2 has class 4
    pairs[6][1][0, 0] = 0
    whole, count = measured(pairs), len(pairs)
    for key in ("miou", "pixel_accuracy", "iou:cat"):
        left = [measured(pairs[:i] + pairs[i + 1 :])[key].value for i in range(count)]
        value = whole[key].value
        expected = count * value - (count - 1) * numpy.array(left)
        expected += value - expected.mean()
        assert whole[key].scores == pytest.approx(expected, abs=1e-12)
    assert "iou:fish" in whole and whole["iou:fish"].scores is None


def test_unlabelled_pixels_alone_are_no_number():
    nothing = numpy.full((3, 3), UNLABELLED, dtype=numpy.uint8)
    assert measured([(nothing * 0, nothing)] * 2) == {}


def test_a_class_above_the_last_one_is_named():
    true, guess = numpy.zeros((2, 2), dtype=int), numpy.full((2, 2), 7)
    with pytest.raises(ValueError, match="predicted class 7 is none of 0 to 4"):
        confusion(guess, true, classes=5)
    with pytest.raises(ValueError, match="true class 7"):
        confusion(true, guess, classes=5)
    with pytest.raises(ValueError, match=r"\(2, 2\) was predicted for one of \(2, 3\)"):
        confusion(guess, numpy.zeros((2, 3), dtype=int), classes=5)


def test_scores_by_class_are_left_out_of_records_that_would_be_large(monkeypatch):
    monkeypatch.setattr("experiments.tasks.pixel_accuracy.MOST_SCORES", 10)
    results = measured(maps(1))
    assert results["iou:cat"].scores is None
    assert results["miou"].scores is not None


def test_validation_images_without_a_labelled_pixel_are_named():
    recipe = load_recipe("tiny-segmentation")
    network = torch.nn.Identity()
    nothing = held_split([], numpy.zeros(0, dtype=numpy.int64))
    task = SegmentationTask(
        network, recipe, validation=nothing, classes=5, class_names=NAMES, steps_per_epoch=1, seed=0
    )
    unlabelled = numpy.full((4, 4), UNLABELLED, dtype=numpy.uint8)
    task.results = {0: confusion(numpy.zeros_like(unlabelled), unlabelled, classes=5)}
    with pytest.raises(Problem, match="no pixel of the validation images has a class"):
        task.validated_numbers()
