"""The built-in scenes: the same bytes everywhere, with objects that fit their masks."""

import dataclasses
import hashlib

import numpy as np
import pytest

from experiments.data.fractal_scene_drawing import FEWEST_PIXELS, seen_objects
from experiments.data.fractal_scenes import FractalScenes, draw_block, load
from experiments.data.sources import read_source
from experiments.data.splits import open_data
from experiments.host.machine import Machine
from experiments.request import Request
from experiments.settings import Settings
from roadmap import edit
from roadmap.errors import Problem
from roadmap.tasks import Detection, Segmentation

SMALL = FractalScenes(train=6, val=3, select=2)
CHECKSUM = "644bdef4b6db863f26cf045ca23366f7c3da328268110486b3cc4059ec913c5a"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_data(SMALL, tmp_path_factory.mktemp("cache"))


def test_scenes_have_the_known_checksum_and_fingerprint():
    drawn = b"".join(part.tobytes() for part in draw_block(SMALL, 0, 3))
    assert hashlib.sha256(drawn).hexdigest() == CHECKSUM
    source = read_source("fractal-scenes")
    assert (source.fingerprint, source.classes, source.images) == ("c3c0579f5b80", 8, 1000)


def test_a_scene_depends_on_its_number_alone(tmp_path):
    more = FractalScenes(train=9, val=5, select=3)
    few, many = (load(each, cache=tmp_path) for each in (SMALL, more))
    for split, parts in few.items():
        for part, other in zip(parts, many[split], strict=True):
            assert np.array_equal(part, other[: len(part)])
    assert all(
        np.array_equal(part[0], again[0])
        for part, again in zip(few["val"], draw_block(SMALL, 1 << 20, 1), strict=True)
    )


def test_boxes_fit_the_visible_masks_and_the_label_map_agrees(data):
    counts = set()
    for split, size in ((data.train, 6), (data.val, 3), (data.select, 2)):
        assert len(split) == size
        for index in range(size):
            objects, label_map = split.objects(index), split.label_map(index)
            assert np.asarray(split.image(index)).shape == (96, 96, 3)
            assert objects.masks.sum(0).max() == 1  # visible pixels only
            expected = np.zeros((96, 96), dtype=np.uint8)
            for box, label, mask in zip(objects.boxes, objects.labels, objects.masks, strict=True):
                left, top, right, bottom = box.astype(int)
                assert mask[top:bottom, left:right].sum() == mask.sum() >= FEWEST_PIXELS
                for edge in (mask[top], mask[bottom - 1], mask[:, left], mask[:, right - 1]):
                    assert edge.any()
                expected[mask == 1] = label + 1
            assert np.array_equal(label_map, expected)
            assert objects.areas.tolist() == objects.masks.sum((1, 2)).tolist()
            assert not objects.crowd.any() and len(objects.labels) == len(objects.boxes)
            counts.add(len(objects.labels))
    assert min(counts) >= 1 and max(counts) <= 5 and len(counts) > 2


def test_a_hidden_object_is_left_out_and_hides_nothing():
    masks = np.zeros((1, 3, 20, 20), dtype=bool)
    masks[0, 0, :10] = True  # 200 pixels, of which the last hides 100
    masks[0, 1, :, :12] = True  # of 240 pixels 20 can be seen
    masks[0, 2, :, :11] = True
    objects, numbers = seen_objects(masks)
    assert numbers.tolist() == [[1, 0, 2]]
    assert (objects == 1).sum() == 90 and (objects == 2).sum() == 220
    assert not objects[0, 15, 11]  # only the second object lies here


def test_brightness_alone_does_not_find_objects(data):
    both = either = 0
    for index in range(len(data.train)):
        bright, seen = data.train.arrays[index].max(2) > 120, data.train.label_map(index) > 0
        both, either = both + (bright & seen).sum(), either + (bright | seen).sum()
    assert 0.2 < both / either < 0.6


def test_drawing_leaves_only_whole_folders(tmp_path):
    def fail(done, total):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        load(SMALL, cache=tmp_path, progress=fail)
    assert not list(tmp_path.iterdir())
    load(SMALL, cache=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"fractal-scenes-{SMALL.fingerprint}"]


def test_classes_and_names_follow_the_task():
    source = read_source("fractal-scenes")
    assert [source.classes_for(task) for task in ("detection", "segmentation")] == [8, 9]
    assert source.names_for("segmentation")[:2] == ("ground", "system 0")
    assert source.names_for("detection")[7] == "system 7"


def test_rows_get_the_classes_of_their_task(tmp_path):
    task = {"segmentation": "fpn", "channels": 32}
    settings = Settings(data="fractal-scenes", runs=tmp_path, overrides={"recipe.task": task})
    assert settings.path["13"].spec.network.classes == 9
    assert Request(settings=settings, row="13", seed=0).spec.recipe.task_name == "segmentation"
    assert Settings(data="fractal-scenes").path["13"].spec.network.classes == 8


def test_a_recipe_for_another_task_is_refused(tmp_path):
    request = Request(settings=Settings(data="fractal-scenes", runs=tmp_path), row="13", seed=0)
    expected = (
        "recipe of row 13 is for classification; data 'fractal-scenes' is for detection and "
        "segmentation; use --task detection, or a recipe for it"
    )
    with pytest.raises(Problem, match=expected):
        request.check(Machine(threads=1, workers=0))
    boxes = Detection(detection="faster_rcnn", short_sides=(96,))
    with pytest.raises(
        Problem, match="is for detection; data 'fractals' is for classification; le"
    ):
        read_source("fractals").check_task(boxes)
    read_source("fractal-scenes").check_task(Segmentation(segmentation="fpn", channels=32))


def test_rows_of_different_tasks_are_refused(tmp_path):
    task = Segmentation(segmentation="fpn", channels=32)
    settings = Settings(data="fractal-scenes", runs=tmp_path)
    roadmap = settings.config.roadmap
    first, *others = roadmap.rows
    recipe = edit.replace(first.spec.recipe, task=task)
    row = dataclasses.replace(first, spec=edit.replace(first.spec, recipe=recipe))
    vars(settings.config)["roadmap"] = dataclasses.replace(roadmap, rows=(row, *others))
    with pytest.raises(Problem, match="row 00 is for segmentation, row 01 is for classification"):
        _ = settings.path
