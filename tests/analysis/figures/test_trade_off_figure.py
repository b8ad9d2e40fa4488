"""Accuracy against cost: which rows are on the front, what is drawn, and where labels go."""

import dataclasses

import pytest
from matplotlib.collections import PathCollection
from matplotlib.text import Text

from analysis.figures.gallery import drawings
from analysis.figures.paper import paper_points
from analysis.figures.points import AREAS, CROWD, Point, TradeOff, table_points
from analysis.figures.trade_off import draw_trade_off, trade_off_drawings
from analysis.measures import MEASURES, TOP1
from analysis.subject import Subject
from analysis.tables.table import tabulate
from roadmap.cost import cost
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study


def point(label, value, **costs):
    return Point(label=label, group="baseline", value=value, std=None, costs=costs)


def front(points, key, measure=TOP1):
    return TradeOff(title="", measure=measure, points=tuple(points)).front(key)


POINTS = [point("cheap", 70.0, macs=1.0, speed=900.0), point("worse", 69.0, macs=2.0, speed=800.0),
          point("dear", 80.0, macs=3.0, speed=100.0), point("equal", 80.0, macs=3.0, speed=50.0),
          point("without", 99.0)]  # fmt: skip


def test_the_front_has_who_is_not_beaten_in_both():
    assert [each.label for each in front(POINTS, "macs")] == ["cheap", "dear"]
    assert [each.label for each in front(POINTS, "speed")] == ["cheap", "dear"]
    faster = point("faster", 75.0, macs=9.0, speed=1000.0)
    assert [each.label for each in front([*POINTS, faster], "speed")] == ["faster", "dear"]


def test_of_equal_cost_the_more_accurate_is_on_the_front_alone():
    worse, better = point("worse", 70.0, macs=2.0, speed=5.0), point("b", 71.0, macs=2.0, speed=5.0)
    for name in ("macs", "speed"):
        assert front([worse, better], name) == front([better, worse], name) == [better]
    dearer = point("dearer", 71.0, macs=3.0, speed=4.0)
    assert front([dearer, better], "macs") == front([dearer, better], "speed") == [better]


def test_the_front_of_a_loss_goes_down_and_speed_is_not_set_against_itself():
    dear, cheap = point("dear", 1.0, macs=2.0, speed=1.0), point("cheap", 2.0, macs=1.0, speed=2.0)
    worse = point("worse", 3.0, macs=3.0, speed=0.5)
    assert front([dear, cheap, worse], "macs", MEASURES["loss"]) == [cheap, dear]
    shown = TradeOff(title="", measure=MEASURES["images_per_second"], points=(dear, cheap))
    assert set(shown.axes) == {"macs"}


def test_the_front_is_the_line_of_its_panel():
    shown = TradeOff(title="", measure=TOP1, points=tuple(POINTS))
    macs, speed = draw_trade_off(shown).axes
    assert macs.lines[0].get_xydata().tolist() == [[1e-6, 70.0], [3e-6, 80.0]]
    assert speed.lines[0].get_xydata().tolist() == [[900.0, 70.0], [100.0, 80.0]]


@pytest.fixture(scope="module")
def table(tiny, invented):
    runs = invented.study(tiny, without=("12",))
    made = tabulate(tiny, [*runs, invented.reference(tiny)])
    rows = [
        dataclasses.replace(row, speed=2 * row.images_per_second if row.n else None)
        for row in made.rows
    ]
    return dataclasses.replace(made, rows=tuple(rows))


def bubbles(axes):
    """Middle and area of every bubble of a panel, in the order of rows."""
    marks = [each for each in axes.collections if isinstance(each, PathCollection)]
    return [(tuple(each.get_offsets()[0]), each.get_sizes()[0]) for each in marks]


def test_bubbles_stand_at_accuracy_and_cost_as_large_as_the_other_measure(tiny, table):
    macs, params, speed = draw_trade_off(table_points(table)).axes
    shown = [row for row in table.rows if row.mean is not None]
    assert len(bubbles(macs)) == len(shown) == 17  # 16 rows and a reference
    for axes, xs in (
        (macs, [1000 * row.gmacs for row in shown]),
        (params, [row.params / 1e6 for row in shown]),
        (speed, [row.speed for row in shown]),
    ):
        for ((x, y), _), wanted, row in zip(bubbles(axes), xs, shown, strict=True):
            assert (x, y) == pytest.approx((wanted, row.mean))
    areas = [area for _, area in bubbles(macs)]
    most = max(row.params for row in shown)
    assert areas == pytest.approx([max(AREAS[1] * row.params / most, AREAS[0]) for row in shown])
    assert [text.get_text() for text in macs.texts].count("08-k9") == 1
    assert {text.get_text() for text in macs.texts} >= {"00", "13", "swin_tiny"}


def test_legends_name_the_groups_and_the_ends_of_sizes(table):
    figure = draw_trade_off(table_points(table))
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.texts]
    assert named[0] == "baseline" and named[-3:] == ["side branch", "reference", "Pareto front"]
    params = sorted(row.params for row in table.rows if row.mean is not None)
    title, least, most = figure.axes[0].get_legend().texts
    assert title.get_text() == "area: parameters"
    ends = [f"{params[0] / 1e6:.2g} M", f"{params[-1] / 1e6:.2g} M"]
    assert [least.get_text(), most.get_text()] == ends
    sizes = [mark.get_markersize() ** 2 for mark in figure.axes[0].get_legend().legend_handles[1:]]
    assert sizes == pytest.approx([AREAS[1] * params[0] / params[-1], AREAS[1]])


def test_of_many_points_the_front_and_references_are_labelled():
    many = [point(f"row{number}", 50.0 - number, macs=2e9) for number in range(CROWD)]
    best = point("best", 90.0, macs=1e9)
    other = dataclasses.replace(point("other", 60.0, macs=3e9), group="reference")
    (axes,) = draw_trade_off(TradeOff(title="", measure=TOP1, points=(*many, best, other))).axes
    assert [text.get_text() for text in axes.texts] == ["best", "other"]
    (axes,) = draw_trade_off(TradeOff(title="", measure=TOP1, points=tuple(many))).axes
    assert len(axes.texts) == len(many)


def test_a_label_far_from_its_bubble_has_a_line_to_it():
    crowd = [point(f"row number {number}", 50 + number / 50, macs=1e9) for number in range(12)]
    points = (*crowd, point("alone", 90.0, macs=1.2e9), point("far", 10.0, macs=2e9))
    (axes,) = draw_trade_off(TradeOff(title="", measure=TOP1, points=points)).axes
    pointed = {text.get_text() for text in axes.texts if text.arrow_patch is not None}
    assert pointed and not pointed & {"alone", "far"}


def test_labels_of_a_study_say_what_is_left_out(invented):
    study = load_study("leave-one-out", roadmap="tiny").roadmap
    shown = table_points(tabulate(study, [invented.record(study, "without-gelu")]))
    assert [each.label for each in shown.points] == ["−gelu"]
    assert "−: without that step." in shown.details


@pytest.mark.slow
@pytest.mark.parametrize("width", ["one-column", "two-column"])
@pytest.mark.parametrize("paper", ["resnet50", "resnet200", None])
def test_labels_lie_on_the_sheet_and_apart_from_each_other(table, paper, width):
    figure = draw_trade_off(
        paper_points(load_roadmap(paper)) if paper else table_points(table), width=width
    )
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(text) for text in axes.texts]  # without lines to them
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
    points = {each.label: each for each in paper_points(load_roadmap("resnet50")).points}
    assert points["13"].value == 81.97 and points["13"].costs["macs"] == 4.49e9
    assert points["13"].costs["params"] == cost(resnet50["13"].spec.network, 224).params
    assert points["Swin-T"].is_reference and set(points["Swin-T"].costs) == {"macs"}


def test_captions_count_runs_and_name_what_is_missing(tiny, invented):
    path = load_study("path", roadmap="tiny")
    runs = [*invented.study(tiny, without=("12",)), invented.reference(tiny)]
    subject = Subject(roadmap=tiny, study=path, records=runs)
    ours, theirs = trade_off_drawings(subject)
    assert (ours.name, theirs.name) == ("trade-off", "paper-trade-off-resnet50")
    assert "none below 15 % of the largest." in ours.caption
    assert "n = 1 to 3." in ours.caption and "Without finished runs: 12." in ours.caption
    assert "printed in" in theirs.caption and "drawn smallest: Swin-T." in theirs.caption


def test_without_runs_there_is_no_figure_and_without_speed_no_panel_of_it(tiny, table):
    path = load_study("path", roadmap="tiny")
    (theirs,) = trade_off_drawings(Subject(roadmap=tiny, study=path, records=()))
    assert theirs.name == "paper-trade-off-resnet50"
    slow = [dataclasses.replace(row, speed=None) for row in table.rows]
    assert len(draw_trade_off(table_points(dataclasses.replace(table, rows=tuple(slow)))).axes) == 2


def test_a_row_without_speed_is_named_and_left_out_of_that_panel(table):
    rows = [dataclasses.replace(row, speed=None) if row.row == "05" else row for row in table.rows]
    shown = table_points(dataclasses.replace(table, rows=tuple(rows)))
    macs, _, speed = draw_trade_off(shown).axes
    assert "05" in [text.get_text() for text in macs.texts]
    assert "05" not in [text.get_text() for text in speed.texts]
    assert "Without a measured speed: 05." in shown.details


def test_what_diverged_is_left_out_and_named(tiny, invented):
    runs = [invented.record(tiny, "00"), invented.record(tiny, "01", status="diverged")]
    shown = table_points(tabulate(tiny, runs))
    assert [each.label for each in shown.points] == ["00"]
    assert "diverged, not averaged: 01 (1)" in shown.details
    assert "No error bars, since no row has two runs." in shown.details


def test_a_studys_figure_bears_its_name_and_no_paper_stands_by(invented):
    study = load_study("leave-one-out", roadmap="resnet50")
    runs = [invented.record(study.roadmap, "13")]
    for name, files in (
        ("trade-off", ["trade-off-leave-one-out"]),
        ("roadmap", ["roadmap-leave-one-out"]),
    ):
        shown = Subject(roadmap=study.roadmap, study=study, records=runs)
        assert [each.name for each in drawings(name, shown)] == files
    path = load_study("path", roadmap="resnet50")
    shown = Subject(roadmap=path.roadmap, study=path, records=())
    assert [each.name for each in drawings("trade-off", shown)] == ["paper-trade-off-resnet50"]
    shown = dataclasses.replace(shown, measure=MEASURES["loss"])
    assert drawings("trade-off", shown) == []  # the paper prints no loss


def test_a_wide_range_of_cost_is_logarithmic_and_one_point_is_enough():
    shown = TradeOff(
        title="", measure=TOP1, points=(point("a", 70.0, macs=1e9), point("b", 80.0, macs=9e9))
    )
    (axes,) = draw_trade_off(shown).axes
    assert axes.get_xscale() == "log"
    (axes,) = draw_trade_off(dataclasses.replace(shown, points=shown.points[:1])).axes
    assert axes.get_xscale() == "linear"
