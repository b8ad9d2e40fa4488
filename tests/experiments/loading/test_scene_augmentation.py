"""Images change together with their boxes, masks and label maps."""

import colorsys

import numpy
import pytest
import torch

from experiments.data.scene import UNLABELLED, Objects
from experiments.loading.scene_augmentation import (
    CROP,
    CROPPED_FROM,
    _photometric,
    change_for_detection,
    change_for_segmentation,
    resized,
    target_of,
)
from roadmap.edit import replace
from steps.recipes.load import load_recipe

BOXES = [(40, 30, 90, 120), (100, 10, 180, 60), (5, 5, 15, 12), (60, 60, 70, 70)]
COLOURS = torch.tensor([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0]], dtype=torch.uint8)
SIZE = (130, 200)
TASK = load_recipe("ade20k-upernet").task


def scene():
    """Three bright rectangles on black, and a crowd, which is not trained on."""
    image = torch.zeros(3, *SIZE, dtype=torch.uint8)
    masks = numpy.zeros((len(BOXES), *SIZE), dtype=numpy.uint8)
    for label, (left, top, right, bottom) in enumerate(BOXES[:3]):
        image[:, top:bottom, left:right] = COLOURS[label][:, None, None]
        masks[label, top:bottom, left:right] = 1
    objects = Objects(
        boxes=numpy.array(BOXES, dtype=numpy.float32),
        labels=numpy.arange(len(BOXES)),
        masks=masks,
        crowd=numpy.array([False, False, False, True]),
        areas=masks.sum((1, 2)).astype(numpy.float32),
    )
    return image, objects


def near(image, colour):
    """Where an image has a colour, up to the blur of a resize."""
    return (image.int() - colour.int()[:, None, None]).abs().amax(0) < 60


def bounds(mask):
    rows, columns = torch.nonzero(mask.amax(1))[:, 0], torch.nonzero(mask.amax(0))[:, 0]
    return torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def test_boxes_and_masks_follow_the_image():
    cropped, mirrored, gone = 0, 0, 0
    for seed in range(30):
        image, objects = scene()
        torch.manual_seed(seed)
        target = target_of(objects, SIZE)
        changed, target = change_for_detection(image, target, crops=True, flip=0.5)
        height, width = changed.shape[1:]
        assert target["masks"].shape[1:] == (height, width)
        assert len(target["boxes"]) == len(target["masks"]) == len(target["labels"])
        assert 3 not in target["labels"]
        gone += len(target["labels"]) < 3
        cropped += changed.shape != image.shape
        mirrored += (height, width) == SIZE and bool(near(changed, COLOURS[2])[:, 100:].any())
        if changed.shape != image.shape:
            assert CROP[0] <= min(height, width) and max(height, width) <= CROP[1]
        for box, mask, label in zip(
            *(target[n] for n in ("boxes", "masks", "labels")), strict=True
        ):
            seen = near(changed, COLOURS[label])
            assert (seen != mask.bool()).float().mean() < 0.02
            assert (bounds(mask) - box).abs().max() <= 2.5
    assert 8 <= cropped <= 22 and mirrored >= 3 and gone >= 2


def test_without_crops_only_mirrored():
    image, objects = scene()
    same, target = change_for_detection(image, target_of(objects, SIZE), crops=False, flip=0)
    assert torch.equal(same, image) and target["boxes"].tolist() == [list(box) for box in BOXES[:3]]
    turned, target = change_for_detection(image, target_of(objects, SIZE), crops=False, flip=1)
    assert torch.equal(turned, image.flip(-1))
    assert torch.equal(target["masks"], torch.from_numpy(objects.masks[:3]).flip(-1))
    assert target["boxes"][0].tolist() == [200 - 90, 30, 200 - 40, 120]


def test_crops_are_those_of_detr():
    assert CROPPED_FROM == (400, 500, 600) and CROP == (384, 600)


def test_a_label_map_follows_the_image():
    fills = 0
    for seed in range(20):
        image, objects = scene()
        labels = torch.zeros(SIZE, dtype=torch.uint8)
        for label, mask in enumerate(objects.masks[:3], start=1):
            labels[torch.from_numpy(mask) > 0] = label
        torch.manual_seed(seed)
        task = replace(TASK, short_side=130, long_side=400, photometric=False, most_of_class=1.0)
        square, changed = change_for_segmentation(
            image, labels, task, size=128, interpolation="bilinear", flip=0.5, fill=(7, 8, 9)
        )
        assert square.shape == (3, 128, 128) and changed.shape == (128, 128)
        filled = changed == UNLABELLED
        fills += bool(filled.any())
        assert (square[:, filled] == torch.tensor([[7], [8], [9]])).all()
        for label in range(1, 4):
            seen = near(square, COLOURS[label - 1]) & ~filled
            assert (seen != (changed == label)).float().mean() < 0.03
    assert 3 <= fills <= 17  # factors below 1 leave space


def test_no_class_fills_more_than_its_share():
    labels = torch.zeros(100, 400, dtype=torch.uint8)
    labels[:, 350:] = 1
    image = torch.zeros(3, 100, 400, dtype=torch.uint8)
    task = replace(TASK, short_side=100, long_side=400, scales=(1.0, 1.0), photometric=False)
    shares = []
    for seed in range(20):
        torch.manual_seed(seed)
        _, changed = change_for_segmentation(
            image, labels, task, size=100, interpolation="bilinear", flip=0, fill=(0, 0, 0)
        )
        shares.append(float((changed == 0).float().mean()))
    assert sum(share < 0.75 for share in shares) > 12  # of one attempt, a quarter would


def test_colours_change_within_their_ranges():
    grey, red = torch.full((3, 2, 2), 100, dtype=torch.uint8), torch.zeros(3, 2, 2)
    red[0], red[1:] = 200, 40
    brightness, contrast, saturation, hue = (
        part.transforms[0] for part in _photometric().transforms
    )
    assert all(part.p == 0.5 for part in _photometric().transforms)
    torch.manual_seed(0)
    bright = [int(brightness(grey)[0, 0, 0]) for _ in range(200)]
    assert min(bright) in (87, 88, 89) and max(bright) in (111, 112)
    assert (contrast.contrast, saturation.saturation) == ((0.5, 1.5), (0.5, 1.5))
    hues = []
    for _ in range(200):
        red_to = hue(red.to(torch.uint8))[:, 0, 0] / 255
        hues.append((colorsys.rgb_to_hsv(*red_to.tolist())[0] + 0.5) % 1 - 0.5)
    # mmsegmentation adds up to 18 of 180 to the hue
    assert min(hues) == pytest.approx(-0.1, abs=0.01) and max(hues) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((512, 512), (512, 512)), ((300, 600), (512, 1024)), ((100, 900), (228, 2048))],
)
def test_images_keep_their_proportions(size, expected):
    image = torch.zeros(3, *size, dtype=torch.uint8)
    assert resized(image, TASK, "bilinear").shape[1:] == expected
