"""Chance and a comparison of pixels, the references of every accuracy."""

import dataclasses

import numpy
import pytest

from experiments.data import pixels
from experiments.data.fractals import Fractals, ScatteredFractals
from experiments.data.pixels import compare, pixel_references
from experiments.data.splits import DataSet, held_split, open_data


def data_of(train, labels, val, truth):
    splits = {"train": held_split(train, labels), "val": held_split(val, truth)}
    return DataSet(source=Fractals(), **splits)


def test_images_that_differ_in_brightness_only_are_told_apart_by_their_grey_value():
    labels = numpy.repeat([0, 1], 4)
    images = numpy.full((8, 30, 30, 3), 60, numpy.uint8)
    images[4:] = 180
    expected = {"nearest_neighbour": 100.0, "nearest_mean": 100.0}
    assert compare(data_of(images, labels, images[::2] + 5, labels[::2])) == expected


def test_images_that_differ_in_shape_only_are_told_apart_without_contrast():
    draw = numpy.random.default_rng(0)
    shapes = draw.integers(0, 2, (2, 24, 24, 1)) * 2 - 1
    labels = numpy.repeat([0, 1], 50)

    def images(count):
        light = draw.integers(60, 190, (2, count, 1, 1, 1))
        strength = draw.integers(2, 30, (2, count, 1, 1, 1))
        drawn = light + strength * shapes[:, None] + numpy.zeros(3, int)
        return drawn.reshape(-1, 24, 24, 3).astype(numpy.uint8)

    result = compare(data_of(images(50), labels, images(50), labels))
    assert result == {"nearest_neighbour": 100.0, "nearest_mean": 100.0}


def test_they_are_computed_once_per_data_set(tmp_path, monkeypatch):
    data = open_data(ScatteredFractals(categories=3, train=4, val=4, select=2), cache=tmp_path)
    first = pixel_references(data, tmp_path)
    monkeypatch.setattr(pixels, "compare", lambda _: pytest.fail("computed again"))
    assert pixel_references(data, tmp_path) == first
    less = dataclasses.replace(data, train=data.train.only([0, 5, 9]), skipped=9)
    monkeypatch.setattr(pixels, "compare", lambda _: {"nearest_neighbour": 1, "nearest_mean": 2})
    assert pixel_references(less, tmp_path) != first


@pytest.mark.slow
def test_pixels_solve_version_1_of_the_fractals_and_not_version_2(tmp_path):
    old = compare(open_data(Fractals(val=20), cache=tmp_path))
    new = compare(open_data(ScatteredFractals(val=40), cache=tmp_path))
    assert old["nearest_neighbour"] > 95 and max(new.values()) < 40
