"""What the figure of effects shows, read back from its axes."""

import dataclasses
from pathlib import Path

import pytest

from analysis.figures.effects import draw_effects, effect_drawings
from analysis.figures.gallery import drawings
from analysis.measures import MEASURES
from analysis.subject import Subject
from analysis.tables.cells import signed
from analysis.verdicts.paper import judge_paper
from analysis.verdicts.study import judge_study
from roadmap.errors import Problem
from roadmap.record import read_records
from steps.studies.load import load_study

PRINTED = load_study("path", roadmap="resnet50")
PAPER = judge_paper(PRINTED, PRINTED.roadmap.paper)


def path_subject(roadmap, records, **given):
    return Subject(roadmap=roadmap, study=load_study("path"), records=records, **given)


@pytest.fixture
def runs(tiny, invented):
    """Three seeds of rows 00 to 02; a step that is much worse, one that does little; one seed."""
    tops = {"00": (80.0, 80.2, 79.9), "01": (60.0, 60.3, 60.1), "02": (60.1, 60.2, 60.3)}
    runs = [
        invented.record(tiny, row, seed=seed, top1=top1)
        for row, each in tops.items()
        for seed, top1 in enumerate(each)
    ]
    return [*runs, invented.record(tiny, "03", top1=70.0)]


@pytest.fixture
def ours(runs):
    return judge_study(load_study("path"), runs)


def test_a_loss_has_its_own_axis_no_margin_and_no_paper(tiny, runs):
    runs = [dataclasses.replace(run, loss=run.top1 / 100) for run in runs]
    (drawing,) = effect_drawings(path_subject(tiny, runs, measure=MEASURES["loss"]))
    (axes,) = drawing.draw(width="two-column").axes
    assert axes.get_xlabel() == "difference in loss" and not axes.patches
    assert "better" in texts(axes)  # a lower loss
    assert "top-1" not in drawing.caption and "grey band" not in drawing.caption


def test_without_runs_only_the_papers_effects_are_drawn(tiny):
    assert [one.name for one in effect_drawings(path_subject(tiny, ()))] == [
        "paper-effects-resnet50"
    ]
    study = load_study("leave-one-out")
    assert effect_drawings(Subject(roadmap=study.roadmap, study=study, records=())) == []


def texts(axes):
    return [each.get_text() for each in axes.texts]


def test_every_step_has_its_difference_interval_and_verdict(ours):
    (axes,) = draw_effects(ours).axes
    shown = texts(axes)
    for each in ours.verdicts[:3]:
        assert signed(each.difference, 1) in shown
    assert shown.count("worse") == 1 and "within ±1" in shown and shown.count("no verdict") == 1
    assert shown.count("lacks runs") == len(ours.verdicts) - 3
    ends = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 1.6]
    assert [tuple(each) for each in ends] == [
        (each.low, each.high) for each in ours.verdicts[:2]
    ]  # one seed has no interval


def test_the_adjusted_interval_agrees_with_the_verdict(ours):
    """A thin line without zero is a verdict; the 95 % interval alone may say more."""
    records = read_records(Path(__file__).parents[3] / "results" / "tiny").records
    for judged in (ours, PAPER, judge_study(load_study("path"), records)):
        for one in judged.verdicts:
            if one.adjusted_low is None:
                assert one.p is None
                continue
            assert one.adjusted_low <= one.low and one.high <= one.adjusted_high
            without_zero = one.adjusted_low > 0 or one.adjusted_high < 0
            assert without_zero is (one.verdict in ("better", "worse")), one.step
    gelu = next(one for one in judged.verdicts if one.step == "gelu")
    assert gelu.low > 0 > gelu.adjusted_low and gelu.verdict == "undecided"


def test_rows_have_numbers_marks_are_explained_and_row_01_of_the_paper_has_no_verdict():
    figure = draw_effects(PAPER)
    (axes,) = figure.axes
    shown = texts(axes)
    assert {"01", "08-k11", "13"} <= set(shown) and shown.count("no verdict") == 1
    (marks,) = figure.legends
    assert [each.get_text() for each in marks.get_texts()] == [
        "better, worse", "undecided", "95 %", "adjusted", "margin",
    ]  # fmt: skip
    thin = [line for line in axes.lines if line.get_linewidth() == 0.6]
    assert len(thin) == sum(one.adjusted_low is not None for one in PAPER.verdicts)


def test_intervals_that_go_on_beyond_the_axis_have_an_arrow(tiny, invented):
    runs = [
        invented.record(tiny, row, seed=seed, top1=top1)
        for row, each in {"00": (80.0, 80.2), "01": (79.0, 50.0)}.items()
        for seed, top1 in enumerate(each)
    ]
    judged = judge_study(load_study("path"), runs)
    (axes,) = draw_effects(judged).axes
    first, (low, high) = judged.verdicts[0], axes.get_xlim()
    assert first.low < low and high < first.high
    assert {"<", ">"} <= {line.get_marker() for line in axes.lines}


def test_beside_the_papers_are_the_papers_steps(tiny, runs, ours):
    left, right = draw_effects(PAPER, ours).axes
    assert texts(left).count("better") == 9 and texts(right).count("worse") == 1
    own, both = effect_drawings(path_subject(tiny, runs))
    assert (own.name, both.name) == ("effects", "effects-beside-paper")
    caption = both.caption
    assert "n = 1 to 3" in caption and "no difference larger than 1 point, the grey band" in caption


@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_nothing_is_cut_off_and_words_do_not_meet(ours, width):
    """Every word lies within the sheet, and no verdict reaches into another panel."""
    for judged in ((ours,), (PAPER,), (PAPER, ours)):
        figure = draw_effects(*judged, width=width)
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        renderer = FigureCanvasAgg(figure).get_renderer()
        sheet, panels = figure.bbox, figure.axes
        for axes in panels:
            for text in axes.texts:
                box = text.get_window_extent(renderer)
                assert sheet.x0 <= box.x0 and box.x1 <= sheet.x1, text.get_text()
        if len(panels) == 2 and width == "two-column":
            reach = max(text.get_window_extent(renderer).x1 for text in panels[0].texts)
            assert reach < panels[1].bbox.x0


def test_unknown_width(ours):
    with pytest.raises(Problem, match="unknown width 'wide'"):
        draw_effects(ours, width="wide")


def test_orders_show_what_a_step_added_in_each_and_whether_that_varies(tiny, invented):
    """Planted: one step is worth twenty points more early than late."""
    study = load_study("orders", roadmap="tiny")
    runs, level = [], {}
    for row in study.roadmap:
        level[row.number] = 50.0 + 3.0 * len(level) % 17
        runs += [
            invented.record(study.roadmap, row.number, seed, level[row.number] + seed / 10)
            for seed in (0, 1)
        ]
    judged = judge_study(study, runs)
    contrast = next(each for each in study.contrasts if each.step == "gelu")
    worths = [sum(weight * level[name] for name, weight in part.items()) for part in contrast.parts]
    assert judged.by_order["gelu"] == pytest.approx(worths) and len(worths) == 6
    (axes,) = draw_effects(judged).axes
    row = [each.step for each in judged.verdicts].index("gelu")
    dots = [line for line in axes.lines if line.get_markersize() == 2.2][row]
    assert sorted(dots.get_xdata()) == pytest.approx(sorted(worths))
    (std,) = {each.order_std for each in judged.verdicts if each.step == "gelu"}
    assert f"undecided, varies ±{std:.1f}" in texts(axes)
    (narrow,) = draw_effects(judged, width="one-column").axes
    assert "undecided *" in texts(narrow)
    for each in (axes, narrow):
        each.figure.draw_without_rendering()
        sheet = each.figure.bbox
        assert max(text.get_window_extent().x1 for text in each.texts) <= sheet.x1
    drawing, _ = effect_drawings(Subject(roadmap=study.roadmap, study=study, records=runs))
    assert "in each sampled order" in drawing.caption and "over orders and seeds" in drawing.caption
    assert f"ReLU → GELU ±{std:.1f}" in drawing.caption


def test_a_studys_effects_stand_beside_those_of_its_path(tiny, invented):
    study = load_study("leave-one-out", roadmap="tiny")
    number = "without-gelu"
    runs = [
        *invented.study(tiny),
        *(invented.record(study.roadmap, number, seed, 90.0 + seed) for seed in range(3)),
    ]
    shown = Subject(roadmap=study.roadmap, study=study, records=runs)
    own, both = drawings("effects", shown)
    assert (own.name, both.name) == ("effects-leave-one-out", "effects-beside-path-leave-one-out")
    figure = both.draw(width="two-column")
    assert [text.get_text() for text in figure.texts] == ["path", "leave one out"]
    left, right = figure.axes
    assert "+1.6" in texts(left) and "+4.0" in texts(right)
    assert left.get_xlim() == right.get_xlim()  # a difference is as long in both
    assert "kernel size 7" in texts(left) and "kernel size 9" not in texts(left)  # no branches
    assert "depthwise conv" in texts(left)  # cannot be left out, but is on the path


def test_of_studies_that_ask_of_other_things_than_steps_no_path_stands_beside(tiny, invented):
    for name in ("micro-design", "learning-rate"):
        study = load_study(name)
        runs = [invented.record(study.roadmap, row.number) for row in study.roadmap]
        shown = Subject(roadmap=study.roadmap, study=study, records=runs)
        assert [each.name for each in drawings("effects", shown)] == [f"effects-{name}"]


def test_the_papers_effects_keep_an_axis_of_their_own(ours):
    left, right = draw_effects(PAPER, ours).axes
    assert left.get_xlim() != right.get_xlim()
