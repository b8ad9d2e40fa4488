"""Average precision: pycocotools' own numbers, and the exact share of each image."""

import copy
import dataclasses
import gc
import weakref

import numpy
import pytest
import torch
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from experiments.data.scene import Objects
from experiments.data.splits import Split
from experiments.tasks.average_precision import (
    Detections,
    annotations_of,
    average_precision,
    encoded,
)
from experiments.tasks.detection import DetectionTask
from steps.roadmaps.load import load_roadmap

SIDE = 160
NAMES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")


def masks_of(boxes):
    """Filled ellipses in the boxes."""
    rows, columns = numpy.mgrid[:SIDE, :SIDE] + 0.5
    masks = numpy.zeros((len(boxes), SIDE, SIDE), dtype=numpy.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        across = (2 * columns - left - right) / (right - left)
        down = (2 * rows - top - bottom) / (bottom - top)
        mask[:] = across**2 + down**2 <= 1
    return masks


def objects_of(boxes, labels, crowd=None):
    boxes = numpy.array(boxes, dtype=numpy.float32).reshape(-1, 4)
    masks = masks_of(boxes)
    return Objects(
        boxes=boxes,
        labels=numpy.array(labels, dtype=numpy.int64),
        masks=masks,
        crowd=numpy.array([False] * len(boxes) if crowd is None else crowd, dtype=bool),
        areas=masks.sum((1, 2)).astype(numpy.float32),
    )


def found(boxes, scores, labels):
    boxes = numpy.array(boxes, dtype=numpy.float32).reshape(-1, 4)
    return Detections(
        boxes=boxes,
        scores=numpy.array(scores, dtype=numpy.float32),
        labels=numpy.array(labels, dtype=numpy.int64),
        masks=masks_of(boxes),
    )


def random_case(seed, *, images=12, classes=3, ties=True):
    """Objects of all sizes, some crowds, images without objects or detections, tied scores."""
    draw = numpy.random.default_rng(seed)

    def boxes(count):
        corners = draw.uniform(0, 40, (count, 2))
        sides = draw.choice([12, 40, 140], (count, 1)) * draw.uniform(0.7, 1.1, (count, 2))
        return numpy.hstack([corners, numpy.minimum(corners + sides, SIDE)]).astype(numpy.float32)

    truth, guesses = [], []
    for _ in range(images):
        objects = boxes(draw.integers(0, 5))
        labels = draw.integers(0, classes, len(objects))
        truth.append(objects_of(objects, labels, draw.random(len(objects)) < 0.15))
        near = objects + draw.normal(0, 2, objects.shape).astype(numpy.float32)
        near[:, 2:] = numpy.maximum(near[:, 2:], near[:, :2] + 4)
        extra = boxes(draw.integers(0, 4))
        guess = numpy.vstack([near, extra])
        all_labels = numpy.append(labels, draw.integers(0, classes, len(extra)))
        scores = draw.random(len(guess))
        guesses.append(found(guess, scores.round(1) if ties else scores, all_labels))
    return guesses, truth


def reference(detections, objects, *, classes, kind, left_out=None):
    """What COCO's own program says: annotations as in its files, results by `loadRes`."""
    annotations, results = [], []
    images = [image for image in range(len(objects)) if image != left_out]
    for image in images:
        item = objects[image]
        for box, label, mask, crowd, area in zip(
            item.boxes, item.labels, item.masks, item.crowd, item.areas, strict=True
        ):
            left, top, right, bottom = map(float, box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": [left, top, right - left, bottom - top],
                    "segmentation": run_lengths.encode(numpy.asfortranarray(mask)),
                    "area": float(area),
                    "iscrowd": int(crowd),
                }
            )
        item = detections[image]
        for box, label, score, mask in zip(
            item.boxes, item.labels, item.scores, item.masks, strict=True
        ):
            left, top, right, bottom = map(float, box)
            shape = {"bbox": [left, top, right - left, bottom - top]}
            if kind == "mask":
                shape = {"segmentation": run_lengths.encode(numpy.asfortranarray(mask))}
            result = {"image_id": image, "category_id": int(label), "score": float(score)}
            results.append({**result, **shape})
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": image, "height": SIDE, "width": SIDE} for image in images],
        "categories": [{"id": label} for label in range(classes)],
        "annotations": annotations,
    }
    coco.createIndex()
    there = coco.loadRes(copy.deepcopy(results)) if results else COCO()
    evaluation = COCOeval(coco, there, {"box": "bbox", "mask": "segm"}[kind])
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[:6].tolist()


def measured(detections, objects, **given):
    return average_precision(detections, [annotations_of(item) for item in objects], **given)


def numbers(results, kind):
    known = {result.key: result.value for result in results}
    return [known.get(f"{kind}_{name}", -1.0) for name in NAMES]


@pytest.mark.parametrize("kind", ["box", "mask"])
@pytest.mark.parametrize("seed", range(4))
def test_numbers_are_those_of_pycocotools(seed, kind, capsys):
    case = random_case(seed, classes=2 + seed)
    results = measured(*case, classes=2 + seed, kind=kind)
    assert capsys.readouterr().out == ""
    assert numbers(results, kind) == reference(*case, classes=2 + seed, kind=kind)


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_leaving_an_image_out_equals_running_pycocotools_without_it(kind):
    guesses, truth = random_case(7, images=14)
    classes, count = 5, len(truth)  # classes 3 and 4 have no object, 4 not even a detection
    guesses[3] = found([*guesses[3].boxes, (1, 1, 30, 30)], [*guesses[3].scores, 0.9],
                       [*guesses[3].labels, 3])  # fmt: skip
    results = measured(guesses, truth, classes=classes, kind=kind)
    assert len(results) == 6
    without = [
        reference(guesses, truth, classes=classes, kind=kind, left_out=image)
        for image in range(count)
    ]
    for number, result in enumerate(results):
        left = numpy.array([stats[number] for stats in without])
        expected = count * result.value - (count - 1) * left
        expected += result.value - expected.mean()
        assert result.scores == pytest.approx(expected, abs=1e-11)
        assert result.scores.mean() == pytest.approx(result.value, abs=1e-12)
    assert max(result.scores.max() for result in results) > 1  # they are no shares


@pytest.mark.parametrize("seed", range(3))
def test_leaving_out_is_exact_with_more_detections_than_fit_one_table(seed, monkeypatch):
    guesses, truth = random_case(seed, images=14, ties=seed > 0)
    whole = measured(guesses, truth, classes=3, kind="box")
    monkeypatch.setattr("experiments.tasks.leave_one_out.CELLS", 7)
    parts = measured(guesses, truth, classes=3, kind="box")
    assert all((a.scores == b.scores).all() for a, b in zip(whole, parts, strict=True))


def test_perfect_detections_have_100_percent_of_the_sizes_that_occur():
    boxes = [(10, 10, 50, 50), (60, 60, 120, 120)]
    truth = [objects_of(boxes, [0, 1]), objects_of([], [])]
    guesses = [found(boxes, [0.9, 0.8], [0, 1]), found([], [], [])]
    results = measured(guesses, truth, classes=2, kind="mask")
    assert {result.key for result in results} == {
        "mask_ap", "mask_ap50", "mask_ap75", "mask_ap_medium"}  # fmt: skip
    assert [result.value for result in results] == pytest.approx([1] * 4)


def test_a_number_that_hangs_on_one_image_has_no_scores():
    box = [(10, 10, 50, 50)]
    truth, guesses = [objects_of(box, [0]), objects_of([], [])], [found(box, [1], [0])] * 2
    results = measured(guesses, truth, classes=1, kind="box")
    assert results[0].scores is None
    assert results[0].value == reference(guesses, truth, classes=1, kind="box")[0]


def test_no_detections_at_all_are_0_percent():
    truth, nothing = random_case(1)[1], found([], [], [])
    results = measured([nothing] * len(truth), truth, classes=3, kind="box")
    assert [result.value for result in results] == [0] * 6
    assert (results[0].scores == 0).all()


def test_no_objects_at_all_are_no_number():
    nothing = objects_of([], [])
    guesses = [found([(1, 1, 9, 9)], [1], [0])] * 2
    assert measured(guesses, [nothing] * 2, classes=1, kind="box") == []


def test_masks_may_be_run_lengths():
    guesses, truth = random_case(3)
    coded = [
        Detections(boxes=g.boxes, scores=g.scores, labels=g.labels, masks=encoded(g.masks))
        for g in guesses
    ]
    one, other = (measured(g, truth, classes=3, kind="mask") for g in (guesses, coded))
    assert numbers(one, "mask") == numbers(other, "mask")


def test_masks_must_be_there():
    guesses, truth = random_case(3)
    bare = [Detections(boxes=g.boxes, scores=g.scores, labels=g.labels) for g in guesses]
    with pytest.raises(ValueError, match="without masks"):
        measured(bare, truth, classes=3, kind="mask")


def test_decoded_masks_of_one_image_are_held_at_a_time():
    """Those of COCO's 5,000 validation images together are 10 GB, in each process."""
    guesses, truth = random_case(2)
    last = []

    def objects(index):
        gc.collect()
        assert all(masks() is None for masks in last)
        item = dataclasses.replace(truth[index], masks=truth[index].masks.copy())
        last[:] = [weakref.ref(item.masks)]
        return item

    split = Split(image=None, labels=numpy.zeros(len(truth)), objects=objects)
    task = DetectionTask(
        torch.nn.Linear(1, 1), load_roadmap("tiny:detection")["13"].spec.recipe,
        validation=split, classes=3, steps_per_epoch=1, seed=0,
    )  # fmt: skip
    results = task.numbers(dict(enumerate(guesses)), split, per_image=False)
    assert numbers(results, "mask") == reference(guesses, truth, classes=3, kind="mask")
