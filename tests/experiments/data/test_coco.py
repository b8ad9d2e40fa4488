"""Folders in COCO's layout: what is read from them, and a clear error for each fault."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from PIL import Image
from pycocotools import mask as coder

from experiments.data.check import fault_of
from experiments.data.coco import CocoFolder
from experiments.data.coco_empty import without_pixels
from experiments.data.coco_file import _categories
from experiments.data.coco_shapes import Shapes, decoded, shape_fault
from experiments.data.folder import Folder
from experiments.data.images import BrokenImage
from experiments.data.scene import UNLABELLED
from experiments.data.sources import kind_of, read_source
from experiments.data.splits import open_data
from experiments.host.machine import Machine
from experiments.request import Request
from experiments.settings import Settings
from roadmap.cli.main import main
from roadmap.errors import Problem
from roadmap.tasks import Detection, Segmentation
from tests.experiments.data.annotated import (
    HEIGHT,
    WIDTH,
    annotation,
    coco_content,
    write_coco,
    write_image,
)

ROOT = Path(__file__).parents[3]


def test_a_folder_gives_boxes_masks_crowds_and_sparse_class_ids_in_order(tmp_path):
    source = read_source(str(write_coco(tmp_path / "pets")))
    assert (source.name, source.classes, source.images) == ("pets", 2, 2)
    assert source.tasks == ("detection", "segmentation") and source.has_masks
    assert source.names_for("detection") == ("cat", "dog")
    assert source.names_for("segmentation") == ("ground", "cat", "dog")
    assert [source.classes_for(task) for task in source.tasks] == [2, 3]
    data = open_data(source)
    objects = data.train.objects(0)
    assert objects.boxes.tolist() == [[2, 3, 32, 23], [5, 5, 15, 15], [0, 0, 10, 30]]
    assert objects.labels.tolist() == [1, 0, 1] and objects.crowd.tolist() == [False, False, True]
    assert objects.areas.tolist() == [600, 100, 300]
    types = [getattr(objects, name).dtype for name in ("boxes", "labels", "masks", "crowd")]
    assert types == [numpy.float32, numpy.int64, numpy.uint8, bool]
    expected = numpy.zeros((3, HEIGHT, WIDTH), dtype=numpy.uint8)
    expected[0, 3:23, 2:32] = expected[1, 5:15, 5:15] = expected[2, :, :10] = 1
    assert numpy.array_equal(objects.masks, expected)
    assert data.train.image(1).size == (WIDTH, HEIGHT) and set(data.train.labels) == {0}


def test_a_label_map_has_small_objects_above_large_ones_and_crowds_below(tmp_path):
    found = open_data(read_source(str(write_coco(tmp_path)))).train.label_map(0)
    expected = numpy.zeros((HEIGHT, WIDTH), dtype=numpy.uint8)
    expected[:, :10] = UNLABELLED
    expected[3:23, 2:32] = 2
    expected[5:15, 5:15] = 1
    assert found.dtype == numpy.uint8 and numpy.array_equal(found, expected)


def test_training_images_without_objects_are_left_out_and_counted(tmp_path):
    content = coco_content()
    content["annotations"][1]["iscrowd"] = 1  # a crowd alone is nothing to train on
    data = open_data(read_source(str(write_coco(tmp_path, train=content))))
    assert [len(data.train), len(data.val)] == [1, 3]
    assert data.describe()["without_objects"] == 2
    nothing = data.val.objects(2)
    assert nothing.boxes.shape == (0, 4) and nothing.masks.shape == (0, HEIGHT, WIDTH)
    assert not data.val.label_map(2).any()


def test_an_object_of_no_area_as_in_coco_itself_is_left_out_and_counted(tmp_path):
    content = coco_content()
    content["annotations"].append(annotation(99, 1, 7, [4, 4, 1.03, 0.0], area=0.0))
    source = read_source(str(write_coco(tmp_path, train=content)))
    assert source.details["objects_without_area"] == 1
    assert len(open_data(source).train.objects(0).labels) == 3


@pytest.mark.parametrize(
    "shape",
    [
        [[45, 35, 60, 35, 60, 50]],
        [[5, 5, 5, 5, 5, 5]],
        [[5, 5, 5, 5, 5, 5], [45, 35, 60, 35, 60, 50]],
        [[1, 1.2, 20, 20.2, 1, 1.1]],
        {"size": [HEIGHT, WIDTH], "counts": [WIDTH * HEIGHT]},
        {"size": [HEIGHT, WIDTH], "counts": "`U1"},
    ],
)
def test_an_object_whose_outline_covers_no_pixel_is_left_out_and_counted(tmp_path, capsys, shape):
    assert shape_fault(shape, WIDTH, HEIGHT) is None and not decoded(shape, WIDTH, HEIGHT).any()
    content = coco_content()
    content["annotations"][0]["segmentation"] = shape
    root = write_coco(tmp_path, train=content)
    source = read_source(str(root))
    assert source.details["objects_without_pixels"] == 1
    objects = open_data(source).train.objects(0)
    assert objects.labels.tolist() == [0, 1] and objects.crowd.tolist() == [False, True]
    assert objects.masks.sum((1, 2)).tolist() == [100, 300]
    assert open_data(source).train.objects(1).masks.any()
    assert main(["check-data", str(root)]) == 0
    expected = "left out of train2017/: images without objects (1), objects whose outline covers no"
    assert f"{expected} pixel (1)\n" in capsys.readouterr().out


def test_an_outline_that_cancels_itself_is_named(tmp_path):
    content = coco_content()
    square = [2, 2, 20, 2, 20, 20, 2, 20]
    content["annotations"][0]["segmentation"] = [square * 2]
    data = open_data(read_source(str(write_coco(tmp_path, train=content))))
    with pytest.raises(BrokenImage, match="1.jpg .*the outline of annotation 11 covers no pixel"):
        data.train.objects(0)


def test_outlines_without_a_pixel_are_found_as_by_decoding_all(monkeypatch):
    monkeypatch.setattr("experiments.data.coco_empty.BLOCK", 300)
    generator = numpy.random.default_rng(0)
    given = []
    for _ in range(2000):
        center = generator.uniform(-5, 45, 2)
        offsets = generator.normal(0, generator.choice([0.2, 1, 5]), (generator.integers(3, 6), 2))
        given.append([(center + offsets).clip(-20, 50).ravel().tolist()])
    given[7] += given[8]
    shapes = Shapes.of(given)
    found = without_pixels(shapes, numpy.tile([WIDTH, HEIGHT], (len(given), 1)))
    expected = [not decoded(shape, WIDTH, HEIGHT).any() for shape in given]
    assert found.tolist() == expected and 100 < sum(expected) < 1900
    kept = shapes.only(~found)
    assert [kept.outline(index) for index in range(len(kept.first) - 1)] == [
        shape for shape, gone in zip(given, expected, strict=True) if not gone
    ]


def test_boxes_that_stick_out_by_rounding_are_clipped(tmp_path):
    content = coco_content()
    content["annotations"][0]["bbox"] = [-0.6, 3, 41.2, 27.9]
    data = open_data(read_source(str(write_coco(tmp_path, train=content))))
    assert data.train.objects(0).boxes[0].tolist() == [0, 3, 40, 30]


def test_masks_of_all_forms_are_those_of_pycocotools():
    generator = numpy.random.default_rng(0)
    mask = numpy.asfortranarray(generator.integers(0, 2, (HEIGHT, WIDTH)).astype(numpy.uint8))
    coded = coder.encode(mask)
    text = {"size": coded["size"], "counts": coded["counts"].decode()}
    columns = mask.ravel(order="F")
    changes = numpy.flatnonzero(numpy.diff(columns)) + 1
    runs = numpy.diff([0, *changes, len(columns)]).tolist()
    plain = {"size": [HEIGHT, WIDTH], "counts": [0, *runs] if columns[0] else runs}
    for shape in (text, plain):
        assert shape_fault(shape, WIDTH, HEIGHT) is None
        assert numpy.array_equal(decoded(shape, WIDTH, HEIGHT), mask)
    two = [[1, 1, 9, 1, 9, 9.5], [20, 20, 30, 20, 30, 28, 20, 28]]
    expected = coder.decode(coder.merge(coder.frPyObjects(two, HEIGHT, WIDTH)))
    assert numpy.array_equal(decoded(two, WIDTH, HEIGHT), expected)
    assert "size" in (shape_fault(text, WIDTH, HEIGHT - 1) or "")
    assert "count" in (shape_fault({**text, "size": [9, WIDTH]}, WIDTH, 9) or "")


def changed(key, position, **values):
    content = coco_content()
    content[key][position] = content[key][position] | values
    return content


def with_more(key, *values):
    content = coco_content()
    content[key] += values
    return content


def runs(**values):
    return {"size": [HEIGHT, WIDTH], "counts": [WIDTH * HEIGHT]} | values


PREFIX = r"instances_train2017.json: image 1.jpg \(id 1\), annotation 11: "
FAULTS = {
    "outside": (changed("annotations", 0, bbox=[20, 3, 30, 20]), PREFIX + r"box \[20, 3, 30, 20\]"
        r" \(x, y, width, height\) lies outside the image of 40 × 30"),
    "far": (changed("annotations", 0, bbox=[40.5, 0, 0.4, 2]), "lies outside"),
    "negative": (changed("annotations", 0, bbox=[20, 3, -5, 20]), PREFIX + "box.*has no area"),
    "thinner than float32": (
        changed("annotations", 0, bbox=[20, 3, 1e-6, 5]), PREFIX + "box.*has no area: a side"),
    "thin within the image": (
        changed("annotations", 0, bbox=[39.999, 3, 0.01, 5]), PREFIX + "box.*has no area: a side"),
    "flat": (changed("annotations", 0, bbox=[20, 3, 5, 0]), PREFIX + "box.*has no area"),
    "three": (changed("annotations", 0, bbox=[20, 3, 5]), "is not 4 numbers"),
    "nan": (changed("annotations", 0, bbox=[20, 3, 5, float("nan")]), "is not 4 numbers"),
    "huge": (changed("annotations", 0, bbox=[20, 3, 5, 10**400]), "is not 4 numbers"),
    "class": (changed("annotations", 0, category_id=8), PREFIX + "class id 8 has no name"),
    "area": (changed("annotations", 0, area=None), "area is missing"),
    "crowd": (changed("annotations", 0, iscrowd="yes"), "iscrowd 'yes' is not 0 or 1"),
    "image": (changed("annotations", 0, image_id=5), "annotation 11 is of image 5, which is not"),
    "twice": (changed("annotations", 2, id=11), PREFIX + "another annotation has this id"),
    "no id": (changed("annotations", 0, id=None), "an annotation has no id"),
    "image id": (changed("images", 2, id=1), "another image has this id"),
    "image name": (changed("images", 2, file_name="1.jpg"), "another image has this file"),
    "file": (changed("images", 0, file_name="x.jpg"), r"image x.jpg \(id 1\) is not in .*/train"),
    "no size": (changed("images", 0, width=0), "needs id, file_name, width and height"),
    "huge id": (changed("annotations", 0, id=10**30), "an annotation has no id"),
    "huge image id": (changed("images", 2, id=10**30), "needs id, file_name, width and height"),
    "huge size": (changed("images", 0, width=10**12), r"width and height \(1 to 65,536 pixels"),
    "huge area": (changed("annotations", 0, area=1e300), "no number from 0 to 4,294,967,296"),
    "far point": (changed("annotations", 0, segmentation=[[1e9, 1, 5, 5, 9, 9]]), "lies far out"),
    "far below": (changed("annotations", 0, segmentation=[[1, -1e300, 5, 5, 9, 9]]), "far outs"),
    "real size": (changed("annotations", 0, segmentation=runs(size=[30.0, 40])), r"of size \[30.0"),
    "points": (changed("annotations", 0, segmentation=[[1, 2, 3, 4]]), PREFIX + ".*3 or more"),
    "odd": (changed("annotations", 0, segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "3 or more points"),
    "text": (changed("annotations", 0, segmentation=[["a"] * 6]), "a value that is no number"),
    "size": (changed("annotations", 0, segmentation=runs(size=[5, 6])), r"of size \[5, 6\]"),
    "short": (changed("annotations", 0, segmentation=runs(counts=[3, 4])), "count 7 pix.*1,200"),
    "minus": (changed("annotations", 0, segmentation=runs(counts=[-1, 1201])), "whole numbers"),
    "packed": (changed("annotations", 0, segmentation=runs(counts="0é")), "cannot be read"),
    "open": (changed("annotations", 0, segmentation=runs(counts="a")), "cannot be read"),
    "none": (changed("annotations", 0, segmentation=runs(counts=None)), "have no counts"),
    "kind": (changed("annotations", 0, segmentation=5), "neither polygons nor run lengths"),
    "without": (changed("annotations", 0, segmentation=[]), "annotation 11 has no segmentation"),
    "json": ("{", "is no JSON file that can be read"),
    "two lists": ('{"images": [], "annotations": [], "images": []}',
        "instances_train2017.json: key 'images' is given twice$"),
    "two boxes": ('{"annotations": [{"id": 11, "bbox": [], "bbox": []}]}',
        "key 'bbox' is given twice, in the object with id 11"),
    "list": ({"images": []}, "has no list"),
    "empty": (coco_content() | {"images": []}, "the list 'images' is empty"),
    "nameless": (coco_content() | {"categories": [{"id": 7}]}, "needs an id and a name"),
    "same id": (with_more("categories", {"id": 7, "name": "x"}), "has id 7 twice"),
    "same name": (with_more("categories", {"id": 8, "name": "cat"}), "has the name 'cat' twice"),
    "half a sign": (with_more("categories", {"id": 8, "name": "\ud800x"}),
        r"train2017.json: category 8: '\\ud800x' is not UTF-8, so no record can hold it"),
    "more classes": (
        with_more("categories", {"id": 8, "name": "x"}),
        r"train2017.json: category 8 \(x\) is not in instances_val2017.json, which has 7 \(cat\)",
    ),
}  # fmt: skip


class Counted(str):
    compared = 0

    def __eq__(self, other):
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_no_category_is_compared_with_all_others():
    names = [Counted(f"class {number}") for number in range(300)]
    made = _categories([{"id": id, "name": name} for id, name in enumerate(names)], "file")
    assert len(made) == 300 and Counted.compared < 300


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(tmp_path, name):
    content, expected = FAULTS[name]
    with pytest.raises(Problem, match=expected):
        CocoFolder.read(str(write_coco(tmp_path, train=content)), None)


def test_several_faults_are_counted_by_kind_and_listed_by_check_data(tmp_path, capsys):
    content = coco_content()
    for each in content["annotations"][:2]:
        each["bbox"] = [0, 0, 99, 9]
    content["annotations"][2]["category_id"] = 3
    val = changed("images", 0, file_name="y.jpg")
    root = write_coco(tmp_path, train=content, val=val)
    counts = "2 × box outside the image, 1 × class id without a name, 1 × missing image file"
    with pytest.raises(Problem, match=f"annotation 11: .*; 4 faults in all: {counts}; check-data"):
        read_source(str(root))
    assert main(["check-data", str(root)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "annotation 12" in lines[1] and "annotation 13" in lines[2]
    assert last == f"4 faults of annotations: {counts}"


LONG = {
    "size": (changed("annotations", 0, segmentation=runs(size="3\n\x1b[31m0")), r"3\n\x1b[31m0"),
    "sizes": (changed("annotations", 0, segmentation=runs(size=[1] * 100_000)), "[1, 1, 1, 1"),
    "box": (changed("annotations", 0, bbox=[0, 0, 10**300, 9]), "[0, 0, 1000000"),
    "flat box": (changed("annotations", 0, bbox=[-(10**300), 0, 0, 9]), "has no area"),
    "name": (changed("images", 0, file_name="x\n" * 100_000), "… (id 1) is not in"),
}


@pytest.mark.parametrize("name", LONG)
def test_check_data_prints_a_fault_in_one_line_of_bounded_length(tmp_path, capsys, name):
    content, expected = LONG[name]
    assert main(["check-data", str(write_coco(tmp_path, train=content))]) == 1
    text, count = capsys.readouterr().out.splitlines()
    assert text.isprintable() and len(text) < 1000 and expected in text and count[0] == "1"


def test_check_data_looks_at_every_image_and_counts_objects(tmp_path, capsys):
    root = write_coco(tmp_path)
    assert main(["check-data", str(root)]) == 0
    text = capsys.readouterr().out
    for part in (
        "2 training and 3 validation images of 2 classes: all can be opened",
        "left out of train2017/: images without objects (1)",
        "objects in train: 3, 1 crowds; 1 to 2 in an image",
        "objects of a class in train: 1 (dog) to 2 (cat)",
        "pixels in train, most common classes: ground",
    ):
        assert part in text
    write_image(root / "val2017/2.jpg", size=(41, 30))
    (root / "train2017/1.jpg").write_bytes(b"no image")
    assert main(["check-data", str(root)]) == 1
    text = capsys.readouterr().out
    assert "2 cannot be opened" in text and "train2017/1.jpg cannot be read" in text
    assert (
        "val2017/2.jpg cannot be read: it has 41 × 30 pixels, its annotations say 40 × 30\n" in text
    )


def test_check_data_tells_that_exif_turns_an_image(tmp_path, capsys):
    """The annotations are for the upright image; `--exif` is no option of these data."""
    root = write_coco(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (HEIGHT, WIDTH)).save(root / "train2017/1.jpg", exif=exif)
    assert main(["check-data", str(root)]) == 1
    said = "it has 30 × 40 pixels, its annotations say 40 × 30, as after the turn that its EXIF"
    assert said in capsys.readouterr().out
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "train2017/1.jpg", exif=exif)
    assert main(["check-data", str(root)]) == 0
    assert "EXIF: 1 image stored turned or mirrored; used as stored\n" in capsys.readouterr().out


def test_an_image_of_another_size_is_broken_and_can_be_skipped(tmp_path):
    root = write_coco(tmp_path)
    write_image(root / "train2017/2.jpg", size=(41, 30))
    data = open_data(read_source(str(root)))
    assert fault_of(data.train, 0) is None and "41 × 30" in (fault_of(data.train, 1) or "")
    with pytest.raises(BrokenImage, match="its annotations say 40 × 30"):
        data.train.image(1)


@pytest.mark.parametrize(("year", "images"), [("", ""), ("2014", ""), ("2017", "images")])
def test_images_lie_in_folders_of_the_same_year(tmp_path, year, images):
    source = read_source(str(write_coco(tmp_path, year=year, images=images)))
    assert kind_of(str(tmp_path)) is CocoFolder and source.images == 2


def test_of_several_years_the_complete_one_is_taken_or_both_are_named(tmp_path):
    write_coco(tmp_path, year="2014")
    for number in (1, 2, 3):
        os.remove(tmp_path / f"val2014/{number}.jpg")
    (tmp_path / "val2014").rmdir()
    write_coco(tmp_path, year="2017")
    assert str(read_source(str(tmp_path)).samples["train"][0][0].path).count("train2017")
    write_coco(tmp_path, year="2014")
    file = tmp_path / "annotations/instances_train2014.json"
    with pytest.raises(Problem, match="holds 2014 and 2017; name the annotation file"):
        CocoFolder.read(str(tmp_path), None)
    assert "train2014" in str(read_source(str(file)).samples["train"][0][0].path)


def test_missing_parts_are_named_with_what_is_there(tmp_path):
    root = write_coco(tmp_path / "a")
    os.remove(root / "annotations/instances_val2017.json")
    (root / "annotations/captions_val2017.json").write_text("{}")
    found = (
        "lacks instances_val.*; it holds captions_val2017.json, instances_train2017.json; it need"
    )
    with pytest.raises(Problem, match=found):
        CocoFolder.read(str(root), None)
    root = write_coco(tmp_path / "b")
    (root / "val2017").rename(root / "pictures")
    with pytest.raises(
        Problem, match=r"lacks train2017/ or val2017/; it holds .*pictures/, train20"
    ):
        CocoFolder.read(str(root), None)
    write_image(tmp_path / "c/train2017/1.jpg")
    with pytest.raises(Problem, match="has no annotations/ but train2017"):
        read_source(str(tmp_path / "c"))


def test_class_folders_next_to_other_json_files_stay_image_folders(images, tmp_path):
    assert kind_of(str(images)) is Folder
    write_image(tmp_path / "train/cat/1.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/notes.json").write_text("{}")
    assert kind_of(str(tmp_path)) is Folder


def test_the_fingerprint_covers_annotations_and_images(tmp_path):
    def digits(name, **contents):
        root = write_coco(tmp_path / name, **contents)
        for file in root.glob("*/*.jpg"):  # the size of a real one depends on the JPEG library
            file.write_bytes(bytes(100 + int(file.stem)))
        return CocoFolder.read(str(root), None).fingerprint

    first = digits("a")
    assert first == digits("b") == "0de46337e5cb"
    assert first != digits("c", val=changed("annotations", 0, area=5))
    (tmp_path / "b/train2017/2.jpg").write_bytes(bytes(200))
    assert CocoFolder.read(str(tmp_path / "b"), None).fingerprint != first


def test_boxes_alone_are_for_detection_without_masks(tmp_path):
    content = coco_content()
    for each in content["annotations"]:
        del each["segmentation"]
    source = read_source(str(write_coco(tmp_path, train=content, val=content)))
    split = open_data(source).train
    assert not source.has_masks and split.label_map is None
    assert split.objects(0).masks.shape == (3, HEIGHT, WIDTH)
    boxes = Detection(detection="faster_rcnn", short_sides=(32,))
    source.check_task(boxes)
    with pytest.raises(Problem, match="have boxes alone; add --set recipe.task.detection=faster"):
        source.check_task(replace(boxes, detection="mask_rcnn"))
    with pytest.raises(Problem, match="boxes alone; use --task detection"):
        source.check_task(Segmentation(segmentation="fpn", channels=32))


def test_a_category_of_the_backgrounds_name_is_for_detection_alone(tmp_path, capsys):
    content = coco_content()
    content["categories"][1] = {"id": 7, "name": "ground"}
    root = write_coco(tmp_path, train=content, val=content)
    source = read_source(str(root))
    source.check_task(Detection(detection="mask_rcnn", short_sides=(32,)))
    expected = r"instances_train2017.json: category 7 has the name of the background, 'ground'"
    with pytest.raises(Problem, match=f"is for segmentation; .*{expected}.*; use --task"):
        source.check_task(Segmentation(segmentation="fpn", channels=32))
    assert main(["check-data", str(root)]) == 0
    assert re.search(f"not for segmentation: .*{expected}", capsys.readouterr().out)


def test_check_data_names_a_folder_whose_name_is_not_utf8(tmp_path, capsys):
    assert main(["check-data", str(write_coco(tmp_path / "set\udce9"))]) == 2
    assert r"name of the data: 'set\udce9' is not UTF-8" in capsys.readouterr().err


def test_validation_images_without_any_object_are_refused_for_each_task(tmp_path):
    source = read_source(str(write_coco(tmp_path, val=coco_content() | {"annotations": []})))
    for detection in ("faster_rcnn", "mask_rcnn"):
        with pytest.raises(Problem, match="no image in .*instances_val2017.json has an object, so"):
            source.check_task(Detection(detection=detection, short_sides=(32,)))
    with pytest.raises(Problem, match="for segmentation; .*instances_val2017.json has no objects$"):
        source.check_task(Segmentation(segmentation="fpn", channels=32))


@pytest.mark.parametrize(
    ("split", "task"),
    [
        ("train", Detection(detection="mask_rcnn", short_sides=(32,), long_side=96)),
        ("val", Detection(detection="faster_rcnn", short_sides=(32,), long_side=96)),
        ("train", Detection(detection="mask_rcnn", short_sides=(32,), long_side=3000, crops=True)),
    ],
)
def test_an_image_that_is_too_narrow_for_the_recipe_is_named_before_it_is_opened(
    tmp_path, split, task
):
    content = changed("images", 1, width=1, height=2500)
    content["annotations"][1] |= annotation(12, 2, 7, [0, 0, 1, 8])
    source = read_source(str(write_coco(tmp_path, **{split: content})))
    source.check_task(replace(task, long_side=2500, crops=False))
    longest = 1333 if task.crops else 96
    expected = f"{split}2017/2.jpg of 1 × 2500 pixels is too narrow for a long side of {longest}; "
    with pytest.raises(Problem, match=f"{expected}remove it from .*instances_{split}2017.json"):
        source.check_task(task)


def test_the_file_whose_objects_lack_outlines_is_named(tmp_path):
    content = coco_content()
    for each in content["annotations"]:
        del each["segmentation"]
    source = read_source(str(write_coco(tmp_path, val=content)))
    expected = "the objects in .*instances_val2017.json have boxes alone; "
    with pytest.raises(Problem, match=f"{expected}add --set recipe.task.detection=faster_rcnn"):
        source.check_task(Detection(detection="mask_rcnn", short_sides=(32,)))
    with pytest.raises(Problem, match=f"{expected}use --task detection"):
        source.check_task(Segmentation(segmentation="fpn", channels=32))


def test_a_recipe_for_classification_is_refused(tmp_path):
    root = write_coco(tmp_path / "pets")
    request = Request(settings=Settings(data=str(root), runs=tmp_path / "r"), row="13", seed=0)
    expected = (
        "recipe of row 13 is for classification; data 'pets' is for detection and segmentation; "
        "use --task detection, or a recipe for it"
    )
    with pytest.raises(Problem, match=expected):
        request.check(Machine(threads=1, workers=0))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["prepare-data", "ROOT", "--out", "x.tar"], "has annotations; prepare-data copies images"),
        (["check-data", "ROOT", "--exif"], "--exif is for images in class folders"),
        (
            ["train", "13", "--data", "ROOT", "--scratch", "s"],
            "row 13 is for classification|scratch",
        ),
        (["train", "13", "--data", "ROOT"], "recipe of row 13 is for classification; data 'pets'"),
    ],
)
def test_commands_for_classification_refuse_the_folder(tmp_path, capsys, command, expected):
    root = write_coco(tmp_path / "pets")
    assert main([word.replace("ROOT", str(root)) for word in command]) == 2
    assert re.search(expected, capsys.readouterr().err)


def test_reading_needs_no_torch_and_no_pillow(tmp_path):
    program = f"""
import sys
from experiments.data.sources import read_source
read_source({str(write_coco(tmp_path))!r}).fingerprint
assert not {{"torch", "timm", "PIL"}} & set(sys.modules)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_a_missing_pycocotools_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    with pytest.raises(Problem, match=r"pip install 'modernization-roadmap\[tasks\]'"):
        CocoFolder.read(str(write_coco(tmp_path)), None)


@pytest.mark.timeout(60)
def test_annotations_that_never_end_are_not_read(tmp_path):
    write_coco(tmp_path)
    path = next((tmp_path / "annotations").glob("instances_train*.json"))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Problem, match="not a regular file"):
        read_source(str(tmp_path))
