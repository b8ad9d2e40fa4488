"""Curves over epochs, read back from their panels."""

from dataclasses import replace

import numpy
import pytest

from analysis.figures.curves import curve_drawings, draw_curves
from analysis.figures.history import histories
from analysis.measures import MEASURES, TOP1
from analysis.selection import select
from analysis.subject import Subject
from steps.studies.load import load_study


@pytest.fixture
def chosen(tiny, invented):
    """Two seeds of row 00 and one of row 01, three epochs each."""
    runs = []
    for row, seed, tops in (("00", 0, (10, 20, 30)), ("00", 1, (20, 30, 50)), ("01", 0, (5, 6, 7))):
        run = invented.record(tiny, row, seed=seed, top1=float(tops[-1]))
        history = [
            {"epoch": float(epoch), "top1": float(each), "loss": 1.0, "train_loss": 2.0}
            for epoch, each in enumerate(tops)
        ]
        runs.append(replace(run, history=history))
    return select(tiny, runs)


def test_each_row_has_its_mean_its_band_and_the_row_before_in_grey(tiny, chosen):
    first, second = draw_curves(tiny, histories(chosen, "top1"), "top-1, %").axes
    (mean,) = first.lines
    assert mean.get_ydata().tolist() == [15, 25, 40] and mean.get_xdata().tolist() == [1, 2, 3]
    (band,) = first.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (10, 50)
    before, own = second.lines
    assert before.get_ydata().tolist() == [15, 25, 40] and own.get_ydata().tolist() == [5, 6, 7]
    assert not second.collections  # one seed has no band
    assert first.get_ylim() == second.get_ylim()


def test_diverged_runs_and_torn_histories_are_left_out(tiny, chosen):
    good, torn = chosen.rows["00"]
    diverged = replace(good, status="diverged", top1=None)
    rows = {"00": (good, replace(torn, history=torn.history[:1]), diverged)}
    found = histories(replace(chosen, rows=rows), "top1")
    assert found["00"].tolist() == [[10, 20, 30]]


def test_captions_count_runs(tiny, chosen):
    drawings = {each.name: each for each in curve_drawings(subject(tiny, chosen))}
    assert set(drawings) == {"curves-top1", "curves-loss", "curves-train-loss"}
    assert "n = 00: 2, 01: 1." in drawings["curves-top1"].caption


def subject(tiny, selection, measure=TOP1):
    return Subject(roadmap=tiny, study=load_study("path"), measure=measure,
                   records=[run for runs in selection.rows.values() for run in runs])  # fmt: skip


def test_measures_without_a_history_have_no_figure(tiny, chosen):
    names = [one.name for one in curve_drawings(subject(tiny, chosen, MEASURES["loss"]))]
    assert names == ["curves-loss", "curves-train-loss"]
    assert curve_drawings(subject(tiny, select(tiny, []))) == []
    short = replace(chosen.rows["00"][0], history=[{"epoch": 0.0, "top1": 5.0}])
    alone = replace(chosen, rows={"00": (short,)})
    assert [one.name for one in curve_drawings(subject(tiny, alone))] == ["curves-top1"]


def test_numbers_that_are_none_leave_a_gap(tiny, chosen):
    run = chosen.rows["01"][0]
    run = replace(run, history=[{"epoch": 0.0}, *run.history[1:]])
    found = histories(replace(chosen, rows={"01": (run,)}), "top1")
    assert numpy.isnan(found["01"][0, 0])
    draw_curves(tiny, found, "top-1, %")
