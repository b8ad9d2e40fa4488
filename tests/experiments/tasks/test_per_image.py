"""What a record keeps of a number of a whole split."""

import numpy
import pytest

from experiments.tasks.per_image import Result, evaluations, pseudo_values
from roadmap.evaluation import unpack_scores


def test_the_variance_of_pseudo_values_is_the_jackknifes():
    draw = numpy.random.default_rng(0).random((30, 2))
    whole = draw[:, 0].sum() / draw[:, 1].sum()  # a ratio, so no mean over images
    without = (draw[:, 0].sum() - draw[:, 0]) / (draw[:, 1].sum() - draw[:, 1])
    scores = pseudo_values(whole, without)
    jackknife = 29 / 30 * ((without - without.mean()) ** 2).sum()
    assert scores.var(ddof=1) / 30 == pytest.approx(jackknife)
    assert scores.mean() == pytest.approx(whole, abs=1e-14)


def test_the_pseudo_values_of_a_mean_are_its_parts():
    parts = numpy.array([0.0, 1.0, 0.5, 0.25])
    assert pseudo_values(parts.mean(), (parts.sum() - parts) / 3) == pytest.approx(parts)


def test_a_number_that_needs_an_image_has_no_pseudo_values():
    assert pseudo_values(0.5, numpy.array([0.5, numpy.nan])) is None
    assert pseudo_values(0.5, numpy.array([0.5])) is None


def test_metrics_are_percentages_and_scores_have_them_as_mean():
    scores = numpy.array([-0.2, 1.4, 0.3])
    result = Result(key="box_ap", label="box AP", value=0.5, images=3, scores=scores)
    bare = Result(key="box_ap_large", label="box AP, large objects", value=1 / 3, images=3)
    metrics, told = evaluations([result, bare], data="abc", data_name="scenes", image_size=96)
    assert metrics == {"box_ap": 50.0, "box_ap_large": 33.3333333}
    assert unpack_scores(told["box_ap"].scores) == pytest.approx(scores, abs=1e-7)
    assert told["box_ap"].scores.startswith("singles:")
    assert told["box_ap_large"].scores == ""
    assert told["box_ap"].label == "box AP" and told["box_ap"].unit == "%"
    assert told["box_ap"].images == 3 and told["box_ap"].image_size == 96
