"""Predictions of detectors and segmenters: drawn on images, and as CSV and JSON."""

import csv
import io
import json

import numpy
import pytest
from PIL import Image, ImageColor, ImageDraw

from experiments.data.scene import UNLABELLED
from experiments.deploy.drawn import COLOURS, class_colour, draw
from experiments.deploy.formats import check_folder
from experiments.deploy.found import drawn_paths, render_found, write_drawn
from experiments.tasks.average_precision import Detections, decoded, encoded
from roadmap.errors import Problem

NAMES = ("cat", "Vögel", "=dog")
BOXES = [[10, 20, 60, 70], [70.5, 5, 99.25, 40], [5, 80, 30, 99]]


@pytest.fixture
def image():
    return Image.new("RGB", (100, 100), "black")


def objects(*, masks=True, coded=False):
    boxes = numpy.array(BOXES, dtype=numpy.float32)
    filled = numpy.zeros((3, 100, 100), dtype=numpy.uint8)
    for mask, (left, top, right, bottom) in zip(filled, boxes.round().astype(int), strict=True):
        mask[top:bottom, left:right] = 1
    made = encoded(filled) if coded else filled
    return Detections(
        boxes=boxes,
        scores=numpy.array([0.75, 0.9, 0.3], dtype=numpy.float32),
        labels=numpy.array([0, 1, 2]),
        masks=made if masks else None,
    )


def rgb(colour):
    return numpy.array(ImageColor.getrgb(colour))


@pytest.mark.parametrize("coded", [True, False])
def test_masks_have_the_colour_of_their_box_and_the_sure_ones_come_first(image, coded):
    pixels = numpy.asarray(draw(image, objects(coded=coded), NAMES)).astype(int)
    assert pixels.shape == (500, 500, 3)  # small images are enlarged, by a whole number
    first, second = rgb(COLOURS[0]), rgb(COLOURS[1])
    assert abs(pixels[100, 425] - first / 2).max() <= 1  # inside the surest: half its colour
    assert abs(pixels[250, 175] - second / 2).max() <= 1
    assert (pixels[250, 50] == second).all() and (pixels[249, 300] == second).all()  # the edges
    assert (pixels[450, 100] == 0).all()  # below the least score


def test_boxes_alone_and_no_detection_at_all(image):
    pixels = numpy.asarray(draw(image, objects(masks=False), NAMES))
    assert (pixels[250, 175] == 0).all() and pixels[250, 50].any()
    nothing = draw(image, objects(), NAMES, least=0.95)
    assert not numpy.asarray(nothing).any()
    empty = Detections(boxes=numpy.zeros((0, 4)), scores=numpy.zeros(0), labels=numpy.zeros(0),
                       masks=[])  # fmt: skip
    assert not numpy.asarray(draw(image, empty, NAMES)).any()


def test_a_label_stays_inside_the_image(image):
    """A box in the upper right corner: its label is moved to the left and down."""
    corner = Detections(boxes=numpy.array([[95, 0, 100, 5]]), scores=numpy.array([1.0]),
                        labels=numpy.array([1]))  # fmt: skip
    pixels = numpy.asarray(draw(image, corner, NAMES))
    ground = (pixels == rgb(COLOURS[0])).all(-1)
    assert ground[:, :470].any()  # the ground of the label, left of the box
    assert (pixels == 255).all(-1).any() or (pixels[ground.any(1)] > 200).any()  # its letters


def test_a_label_map_gets_a_legend_of_its_classes(image):
    label_map = numpy.full((100, 100), UNLABELLED, dtype=numpy.uint8)
    label_map[:, :60] = 1
    label_map[:10, :10] = 2
    drawn = draw(image, label_map, NAMES)
    assert drawn.size[0] == 500 and drawn.size[1] > 515
    pixels = numpy.asarray(drawn).astype(int)
    assert abs(pixels[250, 100] - rgb(class_colour(1)) / 2).max() <= 1
    assert (pixels[250, 400] == 0).all()  # unlabelled
    legend = pixels[500:]
    shown = [(legend == rgb(class_colour(label))).all(-1).any() for label in range(3)]
    assert shown == [False, True, True]


@pytest.mark.parametrize("kind", ["boxes", "legend"])
def test_a_class_name_of_any_length_is_drawn_as_one_short_line(image, monkeypatch, kind):
    drawn = []
    for name in ("textbbox", "text"):
        original = getattr(ImageDraw.ImageDraw, name)

        def noting(pen, place, text, *others, original=original, **more):
            drawn.append(text)
            return original(pen, place, text[:500], *others, **more)

        monkeypatch.setattr(ImageDraw.ImageDraw, name, noting)
    found = objects() if kind == "boxes" else numpy.zeros((100, 100), dtype=numpy.uint8)
    draw(image, found, ["a\nb\ud800" + "x" * 5000] * 3)
    assert drawn and all(text.isprintable() and len(text) < 70 for text in drawn)
    assert drawn[0].startswith(r"a b\ud800xxx")


def test_many_classes_have_colours_of_their_own_and_a_short_legend(image):
    colours = [class_colour(label) for label in range(150)]
    assert len(set(colours)) == 150
    label_map = numpy.arange(10_000).reshape(100, 100).astype(numpy.uint8) % 100
    drawn = draw(image, label_map, [f"class {label}" for label in range(100)])
    assert drawn.size[1] < 1000


def test_detections_as_csv_are_in_the_order_of_scores():
    text = render_found(
        ["a.png", "b.png"], [objects(), objects(masks=False)], NAMES, "csv", task="detection"
    )
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["image", "class", "score", "x1", "y1", "x2", "y2"]
    assert rows[1] == ["a.png", "Vögel", "0.9", "70.5", "5.0", "99.25", "40.0"]
    assert [row[2] for row in rows[1:4]] == ["0.9", "0.75", "0.3"]
    assert len(rows) == 7


def test_detections_as_json_have_masks_of_coco():
    told = json.loads(render_found(["a.png"], [objects()], NAMES, "json", task="detection"))
    (first, *_) = told[0]["detections"]
    assert told[0]["image"] == "a.png" and first["class"] == "Vögel" and first["score"] == 0.9
    assert (decoded([first["mask"]])[0] == objects().masks[1]).all()
    assert json.loads(render_found([], [], NAMES, "json", task="detection")) == []


def test_label_maps_as_text():
    label_map = numpy.full((4, 5), UNLABELLED, dtype=numpy.uint8)
    label_map[:2, :4] = 1
    label_map[0, :2] = 0
    text = render_found(["a.png"], [label_map], NAMES, "csv", task="segmentation")
    assert text == "image,class,pixels,share\na.png,Vögel,6,0.75\na.png,cat,2,0.25"
    told = json.loads(render_found(["a.png"], [label_map], NAMES, "json", task="detection"))
    assert told[0]["classes"][0] == {"class": "Vögel", "pixels": 6, "share": 0.75}


def test_drawn_files_have_names_of_their_own(tmp_path, image):
    paths = drawn_paths(["x/a.png", "y/a.jpg", "b.png"], tmp_path / "out", "segmentation")
    assert [path.name for path in paths] == [
        "a-regions.png", "a-2-regions.png", "b-regions.png"]  # fmt: skip
    assert write_drawn(image, objects(), NAMES, paths[0]) == [paths[0]]
    label_map = numpy.ones((100, 100), dtype=numpy.uint8)
    drawn, classes = write_drawn(image, label_map, NAMES, paths[1])
    assert classes.name == "a-2-classes.png"
    assert (numpy.asarray(Image.open(classes)) == 1).all()
    with pytest.raises(Problem, match="is a file; give a folder"):
        check_folder(drawn)


def test_a_planted_link_is_replaced_by_the_drawn_file(tmp_path, image):
    label_map = numpy.ones((100, 100), dtype=numpy.uint8)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (path,) = drawn_paths(["a.png"], tmp_path, "segmentation")
    for place in (path, tmp_path / "a-classes.png"):
        place.symlink_to(victim)
    for written in write_drawn(image, label_map, NAMES, path):
        assert not written.is_symlink() and written.read_bytes().startswith(b"\x89PNG")
    assert victim.read_text() == "mine"


def test_a_narrow_image_is_not_enlarged_without_bound():
    strip = Image.new("RGB", (5000, 1))
    assert draw(strip, numpy.zeros((1, 5000), dtype=numpy.uint8), NAMES).width == 5000
    assert draw(Image.new("RGB", (1000, 10)), objects(masks=False), NAMES, least=1).width == 4000
