"""Accuracy against cost: which rows are on the front, what is drawn, and where labels go."""

import dataclasses

import pytest
from matplotlib.collections import PathCollection

from analysis.figures.trade_off import (
    AREAS,
    Point,
    TradeOff,
    draw_trade_off,
    front,
    of_paper,
    of_table,
    trade_off_drawings,
)
from analysis.table import tabulate
from roadmap.cost import cost


def point(label, top1, **measures):
    return Point(label=label, group="baseline", top1=top1, std=None, measures=measures)


POINTS = [point("cheap", 70.0, macs=1.0, speed=900.0), point("worse", 69.0, macs=2.0, speed=800.0),
          point("dear", 80.0, macs=3.0, speed=100.0), point("equal", 80.0, macs=3.0, speed=50.0),
          point("without", 99.0)]  # fmt: skip


def test_the_front_has_who_is_not_beaten_in_both():
    assert [each.label for each in front(POINTS, "macs")] == ["cheap", "dear"]
    assert [each.label for each in front(POINTS, "speed")] == ["cheap", "dear"]
    faster = point("faster", 75.0, macs=9.0, speed=1000.0)
    assert [each.label for each in front([*POINTS, faster], "speed")] == ["faster", "dear"]


@pytest.fixture(scope="module")
def table(tiny, invented):
    runs = invented.study(tiny, without=("12",))
    return tabulate(tiny, [*runs, invented.reference(tiny)])


def bubbles(axes):
    """Middle and area of every bubble of a panel, in the order of rows."""
    marks = [each for each in axes.collections if isinstance(each, PathCollection)]
    return [(tuple(each.get_offsets()[0]), each.get_sizes()[0]) for each in marks]


def test_bubbles_stand_at_accuracy_and_cost_as_large_as_the_other_measure(tiny, table):
    macs, params, speed = draw_trade_off(of_table(table)).axes
    shown = [row for row in table.rows if row.top1 is not None]
    assert len(bubbles(macs)) == len(shown) == 17  # 16 rows and a reference
    for axes, xs in ((macs, [row.gmacs for row in shown]),
                     (params, [row.params / 1e6 for row in shown]),
                     (speed, [row.images_per_second for row in shown])):  # fmt: skip
        for ((x, y), _), wanted, row in zip(bubbles(axes), xs, shown, strict=True):
            assert (x, y) == pytest.approx((wanted, row.top1))
    areas = [area for _, area in bubbles(macs)]
    most = max(row.params for row in shown)
    assert areas == pytest.approx([max(AREAS[1] * row.params / most, AREAS[0]) for row in shown])
    assert [text.get_text() for text in macs.texts].count("08-k9") == 1
    assert {text.get_text() for text in macs.texts} >= {"00", "13", "swin_tiny"}


@pytest.mark.parametrize("width", ["one-column", "two-column"])
@pytest.mark.parametrize("paper", ["resnet50", "resnet200", None])
def test_labels_lie_on_the_sheet_and_apart_from_each_other(table, paper, width):
    figure = draw_trade_off(of_paper(paper) if paper else of_table(table), width=width)
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
        met = [
            (one, other)
            for place, one in enumerate(boxes)
            for other in boxes[place + 1 :]
            if min(one.x1, other.x1) - max(one.x0, other.x0) > 4
            and min(one.y1, other.y1) - max(one.y0, other.y0) > 4
        ]
        assert len(met) <= 1, met  # rows of equal cost and accuracy are many in a place
        assert all(box.x0 > 0 and box.x1 < figure.bbox.x1 for box in boxes)


def test_the_papers_points_are_its_printed_ones(resnet50):
    points = {each.label: each for each in of_paper("resnet50").points}
    assert points["13"].top1 == 81.97 and points["13"].measures["macs"] == 4.49e9
    assert points["13"].measures["params"] == cost(resnet50["13"].spec.network, 224).params
    assert points["Swin-T"].is_reference and set(points["Swin-T"].measures) == {"macs"}


def test_captions_count_runs_and_name_what_is_missing(table):
    ours, theirs = trade_off_drawings(table, "resnet50")
    assert (ours.name, theirs.name) == ("trade-off", "paper-trade-off-resnet50")
    assert "n = 1 to 3." in ours.caption and "Without finished runs: 12." in ours.caption
    assert "Table" in theirs.caption or "printed in" in theirs.caption


def test_without_runs_it_says_so_and_without_speed_that_panel_is_left_out(tiny, table):
    empty = draw_trade_off(of_table(tabulate(tiny, [])))
    assert not empty.axes and "no finished runs" in [text.get_text() for text in empty.texts]
    slow = [dataclasses.replace(row, images_per_second=None) for row in table.rows]
    assert len(draw_trade_off(of_table(dataclasses.replace(table, rows=tuple(slow)))).axes) == 2


def test_a_wide_range_of_cost_is_logarithmic_and_one_point_is_enough():
    shown = TradeOff(title="", points=(point("a", 70.0, macs=1e9), point("b", 80.0, macs=9e9)),
                     caption="")  # fmt: skip
    (axes,) = draw_trade_off(shown).axes
    assert axes.get_xscale() == "log"
    (axes,) = draw_trade_off(dataclasses.replace(shown, points=shown.points[:1])).axes
    assert axes.get_xscale() == "linear"
