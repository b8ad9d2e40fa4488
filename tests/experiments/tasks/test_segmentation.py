"""Whole images and windows, label maps of another size, and pixels without a class."""

import numpy
import pytest
import torch

from experiments.data.scene import UNLABELLED
from experiments.data.splits import Split
from experiments.loading.scenes import Scenes
from experiments.tasks.segmentation import SegmentationTask, pixel_loss, starts
from roadmap.edit import replace
from steps.recipes.load import load_recipe

NAMES = ("sky", "sea", "sand")


class Echo(torch.nn.Module):
    """Its logits are the image; it keeps the sizes that it was given."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, images):
        self.sizes.append(tuple(images.shape[2:]))
        return images


class Ramp(Echo):
    """Its logits are 0 at the left edge of what it is given and grow to the right."""

    def forward(self, images):
        return torch.arange(images.shape[3]).float().expand_as(images)


def task_of(network, *, window_stride=None, image_size=512):
    recipe = load_recipe("ade20k-upernet")
    task = replace(recipe.task, window_stride=window_stride)
    return SegmentationTask(
        network, replace(recipe, task=task, image_size=image_size), class_names=NAMES,
        validation=Split(image=None, labels=numpy.zeros(0)), classes=3, steps_per_epoch=1, seed=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("side", "expected"),
    [(2048, [0, 341, 682, 1023, 1364, 1536]), (512, [0]), (683, [0, 171]), (100, [0])],
)
def test_windows_cover_a_side(side, expected):
    found = starts(side, 512, 341)
    assert found == expected
    covered = {pixel for first in found for pixel in range(first, min(first + 512, side))}
    assert covered == set(range(side))


def test_windows_give_what_the_whole_image_gives():
    network = Echo()
    images = torch.rand(2, 3, 40, 100)
    logits = task_of(network, window_stride=24, image_size=32).logits(images)
    assert torch.allclose(logits, images, atol=1e-6)
    assert set(network.sizes) == {(32, 32)} and len(network.sizes) == 2 * 4


def test_logits_of_overlapping_windows_are_averaged():
    logits = task_of(Ramp(), window_stride=24, image_size=32).logits(torch.zeros(1, 3, 32, 56))
    row = logits[0, 0, 0]
    assert row[23] == 23 and row[24] == (24 + 0) / 2 and row[31] == (31 + 7) / 2 and row[32] == 8


def test_classes_are_told_at_the_size_of_the_label_map():
    """A label map of twice the size: the image was resized, the annotation was not."""
    image = torch.zeros(3, 8, 8)
    image[0, :, :4], image[2, :, 4:] = 1, 1
    target = torch.full((16, 16), 2)
    target[:, :8], target[0, :] = 0, UNLABELLED
    batch = Scenes(images=(image,), targets=(target,), numbers=(5,))
    (matrix,) = task_of(Echo()).results_of(batch).values()
    assert matrix.sum() == 15 * 16
    assert matrix[0, 0] == 15 * 8 and matrix[2, 2] == 15 * 8


def test_unlabelled_pixels_add_nothing_to_the_loss():
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.randint(0, 3, (2, 4, 4))
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert torch.allclose(pixel_loss(logits, labels), each.mean())
    labels[0] = UNLABELLED
    assert torch.allclose(pixel_loss(logits, labels), each[1].sum() / each.numel())
    labels[:] = UNLABELLED
    assert pixel_loss(logits, labels) == 0
