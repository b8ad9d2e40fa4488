"""Small folders of annotated images, in the layouts of COCO, ADE20K and VOC."""

import json

import numpy
from PIL import Image

WIDTH, HEIGHT = 40, 30
CATEGORIES = [{"id": 90, "name": "dog"}, {"id": 7, "name": "cat"}]


def write_image(path, size=(WIDTH, HEIGHT), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = numpy.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3))
    Image.fromarray(pixels.astype(numpy.uint8)).save(path)


def polygon(x, y, w, h):
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def annotation(number, image, category, box, **more):
    made = {"id": number, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0}
    return made | {"area": box[2] * box[3], "segmentation": polygon(*box)} | more


def coco_content(first=0):
    """Three images: two objects and a crowd in the first, one object in the second, none after."""
    runs = {"size": [HEIGHT, WIDTH], "counts": [0, 300, WIDTH * HEIGHT - 300]}
    return {
        "images": [
            {"id": first + number, "file_name": f"{number}.jpg", "width": WIDTH, "height": HEIGHT}
            for number in (1, 2, 3)
        ],
        "annotations": [
            annotation(11, first + 1, 90, [2, 3, 30, 20]),
            annotation(12, first + 2, 7, [0, 0, 10.5, 8]),
            annotation(13, first + 1, 7, [5, 5, 10, 10]),
            annotation(14, first + 1, 90, [0, 0, 10, 30], iscrowd=1, segmentation=runs),
        ],
        "categories": list(CATEGORIES),
    }


def write_coco(root, *, year="2017", images="", train=None, val=None):
    """Write a folder in COCO's layout; `train` and `val` replace the annotation files' content."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for split, content in (("train", train), ("val", val)):
        made = coco_content() if content is None else content
        text = made if isinstance(made, str) else json.dumps(made)
        (root / f"annotations/instances_{split}{year}.json").write_text(text)
        for number in (1, 2, 3):
            write_image(root / images / f"{split}{year}/{number}.jpg", seed=number)
    return root


def write_map(path, values, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(numpy.asarray(values, dtype=numpy.uint8))
    if mode == "P":
        image.putpalette([value for index in range(256) for value in (index, 0, 255 - index)])
        raw = Image.frombytes("P", image.size, numpy.asarray(values, dtype=numpy.uint8).tobytes())
        raw.putpalette(image.getpalette() or [])
        image = raw
    image.save(path)


def steps(values):
    """A label map with one band of columns for each value."""
    return numpy.repeat(numpy.resize(values, WIDTH)[None], HEIGHT, axis=0)


def write_ade(root, *, names=("wall, brick wall", "sky", "door;gate")):
    for inner in ("training", "validation"):
        for number in (1, 2):
            name = f"{inner}/ADE_{number:08d}"
            write_image(root / f"images/{name}.jpg", seed=number)
            write_map(root / f"annotations/{name}.png", steps([0, 1, 2, 3]))
    if names:
        rows = [f"{number}\t0.1\t10\t{name}\n" for number, name in enumerate(names, 1)]
        (root / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tName\n" + "".join(rows))
    return root


def write_voc(root):
    for split, numbers in (("train", (1, 2)), ("val", (3,))):
        path = root / f"ImageSets/Segmentation/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"2007_{number:06d}\n" for number in numbers))
        for number in numbers:
            write_image(root / f"JPEGImages/2007_{number:06d}.jpg", seed=number)
            write_map(
                root / f"SegmentationClass/2007_{number:06d}.png", steps([0, 1, 20, 255]), "P"
            )
    return root
