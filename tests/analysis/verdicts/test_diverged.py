"""Diverged runs have no accuracy, but they count."""

import dataclasses
import json

import pytest

from analysis.measures import find_measure
from analysis.tables.verdict_table import render_verdicts
from analysis.verdicts.diverged import OFTEN
from analysis.verdicts.judge import judge
from analysis.verdicts.more_seeds import next_runs
from analysis.verdicts.statistics import Sample
from analysis.verdicts.study import judge_study
from steps.studies.contrast import Contrast
from steps.studies.load import load_study

TOPS = (60.0, 60.3, 60.1, 59.8, 60.2)


def runs(invented, tiny, diverged, *, gain=36.0):
    """Five seeds of rows 09 and 10, of which some diverged, by row."""
    return [
        invented.record(tiny, row, seed, None, status="diverged")
        if seed >= 5 - diverged.get(row, 0)
        else invented.record(tiny, row, seed, top1 + shift)
        for row, shift in (("09", 0.0), ("10", gain))
        for seed, top1 in enumerate(TOPS)
    ]


def verdict_on(records, measure="top1"):
    judged = judge_study(load_study("path"), records, measure=find_measure(measure))
    return judged, next(each for each in judged.verdicts if each.step == "fewer_activations")


@pytest.mark.parametrize(
    ("diverged", "gain", "verdict"),
    [
        ({}, 36.0, "better"),
        ({"10": 3}, 36.0, OFTEN),  # on the two runs that are left it would be better
        ({"09": 3}, 36.0, "better"),
        ({"09": 2, "10": 2}, 36.0, "better"),
        ({"10": 3}, -36.0, "worse"),
        ({"09": 3}, -36.0, OFTEN),
        ({}, 0.0, "no difference larger than 1"),
        ({"10": 1}, 0.0, OFTEN),
        ({"09": 1, "10": 1}, 0.0, "no difference larger than 1"),
    ],
)
def test_a_side_that_diverged_more_often_is_not_favoured(diverged, gain, verdict, tiny, invented):
    _, found = verdict_on(runs(invented, tiny, diverged, gain=gain))
    assert found.verdict == verdict
    assert (found.diverged_before, found.diverged) == (diverged.get("09", 0), diverged.get("10", 0))


def test_every_format_counts_diverged_runs_and_bounds_the_difference(tiny, invented):
    judged, found = verdict_on(runs(invented, tiny, {"10": 3}))
    assert found.worst == pytest.approx(sum(TOPS[:2]) / 5 + 2 * 36 / 5 - sum(TOPS) / 5)
    assert "with 0 % for each diverged run: fewer_activations −21.6" in judged.notes
    rows = json.loads(render_verdicts(judged, "json"))
    keys = list(rows[0])
    assert keys[keys.index("seeds_high") + 1 :][:3] == ["diverged", "diverged_before", "worst"]
    assert "| 3 − 0 |" in render_verdicts(judged, "md")
    columns = [key for key in keys if not key.startswith("adjusted")]  # old CSV tables lack them
    assert render_verdicts(judged, "csv").splitlines()[0].split(",") == columns
    without, _ = verdict_on(runs(invented, tiny, {}))
    assert "diverged" not in render_verdicts(without, "md")


def test_a_measure_without_a_lowest_value_has_no_worst_case(tiny, invented):
    judged, found = verdict_on(runs(invented, tiny, {"10": 3}), measure="loss")
    assert found.worst is None and not any("with 0 %" in note for note in judged.notes)


def test_diverged_runs_get_no_more_seeds(tiny, invented):
    study = load_study("path")
    only = dataclasses.replace(
        study, contrasts=tuple(c for c in study.contrasts if c.step == "fewer_activations")
    )
    assert next_runs(only, runs(invented, tiny, {"10": 3}), most=12, runs=2) == []


@pytest.mark.parametrize("missing", [False, True])
def test_an_order_that_is_lost_decides_nothing(missing):
    """All runs of one variant diverged: the mean over the other orders is not that of all."""
    parts = tuple({f"{order}+": 1.0, f"{order}-": -1.0} for order in range(4))
    contrast = Contrast(step="s", title="", group="", parts=parts)
    names = [name for part in parts[:3] for name in part]
    samples = {
        name: Sample(mean=70.0 + (10 + int(name[0]) / 10) * name.endswith("+"), std=0.3, n=3)
        for name in (names if missing else [*names, "3-"])
    }
    (found,) = judge([contrast], samples, 1.0, diverged={"3+": 3})
    assert found.verdict == OFTEN and found.difference == pytest.approx(10.1)
    # with 0 % for the lost variant, or no bound while its partner has no runs
    expected = None if missing else pytest.approx((3 * 10.1 - 70) / 4)
    assert found.worst == expected
    (found,) = judge([contrast], samples, 1.0)
    assert found.verdict == "better"
