"""Every table of accuracies says how little it can tell."""

import dataclasses

import pytest

from analysis.precision import half_width
from analysis.tables.render import apart, render
from analysis.tables.table import tabulate


def with_data(run, **data):
    return dataclasses.replace(run, data={**run.data, **data})


def test_half_width_is_the_binomial_one():
    assert half_width(78, 81) == pytest.approx(9.0, abs=0.3)
    assert half_width(90, 10_000) == pytest.approx(0.59, abs=0.01)
    assert half_width(100, 100) > 1  # the simple formula gives 0


def test_a_table_names_images_chance_and_pixels(tiny, invented):
    runs = [
        with_data(run, references={"nearest_neighbour": 99.6, "nearest_mean": 88.55})
        for run in invented.study(tiny)
    ]
    table = tabulate(tiny, runs)
    text = " ".join(render(table, "terminal").split())
    assert "2,000 validation images: the accuracy of one network is known to ±2.1 points" in text
    assert "chance 2.5 %, nearest training image by pixels 99.6 %" in text
    assert "one run per row" not in text and "fewer than 500" not in text
    assert table.precision == apart(table, "csv")  # a file of numbers has no place for words


def test_one_seed_and_few_images_are_said_in_words(tiny, invented):
    runs = [with_data(run, val=100) for run in invented.study(tiny, seeds=1)]
    text = " ".join(tabulate(tiny, runs).precision)
    assert "one run per row: the spread over seeds is unknown" in text
    assert "with fewer than 500 validation images, a difference below 13 points" in text


def test_another_measure_has_no_such_words(tiny, invented):
    from analysis.measures import MEASURES

    assert tabulate(tiny, invented.study(tiny), measure=MEASURES["loss"]).precision == ()
    assert tabulate(tiny, []).precision == ()
