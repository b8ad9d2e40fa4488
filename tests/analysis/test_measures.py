"""The measure is a value: tables, verdicts and added seeds follow it."""

import base64
import csv
import dataclasses
import io
import json

import pytest

from analysis import measures
from analysis.measures import MEASURES, TOP1, Measure, find_measure
from analysis.selection import select
from analysis.subject import Subject
from analysis.tables.render import FORMATS, render
from analysis.tables.table import tabulate
from analysis.tables.verdict_table import render_verdicts
from analysis.verdicts.more_seeds import next_runs
from analysis.verdicts.study import judge_study
from roadmap.errors import Problem
from roadmap.evaluation import Evaluation
from steps.studies.load import load_study


def evaluated(run, **changes):
    """The run with an evaluation of `ece`."""
    given = {"label": "calibration", "better": "lower", "data": run.identity.data,
             "data_name": "x", "images": 3, "image_size": 48, "crop": 1.0}  # fmt: skip
    evaluation = Evaluation(**{**given, **changes})
    return dataclasses.replace(run, metrics={"ece": 2.0}, evaluations={"ece": evaluation})


def test_an_evaluation_says_how_its_number_is_judged_and_where_it_may_differ(tiny, invented):
    runs = [evaluated(invented.record(tiny, "00", seed)) for seed in range(2)]
    elsewhere = evaluated(invented.record(tiny, "00", version="d2"), image_size=32)
    measure = find_measure("ece", [*runs, elsewhere])
    assert (measure.label, measure.better, measure.values(runs)) == ("calibration", "lower", [2, 2])
    changed = evaluated(invented.record(tiny, "01"), source="0123456789ab")
    with pytest.raises(Problem, match="in 00 seed 0 than in 01 seed 0; `roadmap evaluate`"):
        find_measure("ece", [*runs, changed])


def measured(run, **numbers):
    """A run with other numbers; those that no field has become metrics."""
    fields = {field.name for field in dataclasses.fields(run)}
    own = {key: number for key, number in numbers.items() if key in fields}
    metrics = {key: number for key, number in numbers.items() if key not in fields}
    return dataclasses.replace(run, **own, metrics=metrics)


@pytest.fixture(scope="module")
def runs(tiny, invented):
    """Loss rises from row to row; other numbers follow; bits of which images were right."""
    records = []
    for place, row in enumerate(tiny):
        for seed in range(3):
            run = invented.record(tiny, row.number, seed, 60 + place + 0.1 * seed)
            loss = 1 + 0.1 * place + 0.001 * seed
            run = measured(run, loss=loss, top5=90.0 + seed / 10, energy=5e3 + 100 * place + seed)
            right = bytes((place * 7 + seed + 13 * byte) % 256 for byte in range(250))
            correct = base64.b64encode(right).decode()
            records.append(dataclasses.replace(run, correct=correct))
    return records


@pytest.mark.parametrize("key", ["top1", "top5", "loss", "images_per_second", "energy"])
@pytest.mark.parametrize("format", FORMATS)
def test_every_measure_makes_tables_and_verdicts_in_every_format(key, format, tiny, runs):
    measure = find_measure(key, runs)
    table = tabulate(tiny, runs, measure=measure)
    judged = judge_study(load_study("path"), runs, measure=measure)
    text, verdicts = render(table, format), render_verdicts(judged, format)
    assert all(row.n == 3 for row in table.rows)
    assert all(verdict.difference is not None for verdict in judged.verdicts)
    if format == "terminal":
        assert max(map(len, (text + verdicts).splitlines())) <= 80
    if format in ("md", "latex", "terminal") and key != "top1":
        assert "top-1" not in (text + verdicts).lower()
        assert measure.label in text.lower() and measure.label in verdicts.lower()


def test_the_columns_of_accuracy_carry_the_key(tiny, runs):
    rows = list(csv.DictReader(io.StringIO(render_csv(tiny, runs, "loss"))))
    assert float(rows[1]["loss"]) == pytest.approx(1.101)
    assert float(rows[1]["change"]) == pytest.approx(0.1)
    assert "top1" not in rows[0] and rows[1]["paper_loss"] == ""
    speed = list(csv.DictReader(io.StringIO(render_csv(tiny, runs, "images_per_second"))))
    assert speed[0]["mean_images_per_second"] == speed[0]["images_per_second"] == "900.0"
    table = tabulate(tiny, runs, measure=find_measure("energy", runs))
    assert json.loads(render(table, "json"))[0]["energy"] == 5001.0


def render_csv(tiny, runs, key):
    return render(tabulate(tiny, runs, measure=find_measure(key, runs)), "csv")


def test_better_follows_the_direction_of_the_measure(runs):
    path = load_study("path")
    for key, word in (("loss", "worse"), ("top1", "better")):
        judged = judge_study(path, runs, measure=find_measure(key), given_images=True)
        verdict = judged.verdicts[0]
        assert verdict.difference > 0 and verdict.verdict == word
        assert (verdict.better > 0.99) is (word == "better")
    judged = judge_study(path, runs, measure=MEASURES["loss"])
    assert "P<0" in render_verdicts(judged, "md") and "below zero" in render_verdicts(judged, "md")


def test_only_proportions_of_images_have_an_interval_over_images(runs):
    path = load_study("path")
    known = {
        key: any(
            verdict.images_low is not None
            for verdict in judge_study(path, runs, measure=find_measure(key, runs)).verdicts
        )
        for key in ("top1", "top5", "loss")
    }
    assert known == {"top1": True, "top5": False, "loss": False}


def test_a_margin_of_points_is_no_margin_for_other_units(runs):
    path = load_study("path")
    same = [
        measured(run, loss=1 + run.identity.seed / 1000, top5=1.0 * run.identity.seed / 10)
        for run in runs
    ]
    top5, loss = (judge_study(path, same, measure=MEASURES[key]) for key in ("top5", "loss"))
    assert {each.verdict for each in top5.verdicts} == {"no difference larger than 1"}
    assert {each.verdict for each in loss.verdicts} == {"undecided"} and loss.margin == 0
    assert any("no margin is set for loss" in note for note in loss.notes)


def test_agreement_with_the_paper_is_for_what_the_paper_prints(runs):
    path = load_study("path")
    assert judge_study(path, runs).agreements
    assert not judge_study(path, runs, measure=MEASURES["loss"]).agreements


def test_seeds_are_added_until_the_measure_is_decided(invented):
    study = load_study("leave-one-out")
    only = dataclasses.replace(
        study, contrasts=tuple(each for each in study.contrasts if each.step == "gelu")
    )
    runs = [
        measured(invented.record(study.roadmap, number, seed, top1 + 0.1 * seed), loss=float(seed))
        for number, top1 in (("without-gelu", 60.0), ("13", 90.0))
        for seed in range(3)
    ]
    assert next_runs(only, runs, most=8, runs=2) == []
    wanted = next_runs(only, runs, most=8, runs=2, measure=MEASURES["loss"])
    assert sorted(wanted) == [("13", 3), ("without-gelu", 3)]


def test_a_run_without_the_number_does_not_count(tiny, runs):
    some = [run if run.identity.seed else dataclasses.replace(run, metrics={}) for run in runs]
    energy = find_measure("energy", some)
    assert {row.n for row in tabulate(tiny, some, measure=energy).rows} == {2}
    assert {
        verdict.n for verdict in judge_study(load_study("path"), some, measure=energy).verdicts
    } == {2}


def test_a_new_measure_is_one_entry(tiny, runs, monkeypatch):
    error = Measure(
        key="error",
        label="error",
        unit="%",
        difference="points",
        better="lower",
        read=lambda record: None if record.top1 is None else 100 - record.top1,
    )
    monkeypatch.setitem(measures.MEASURES, "error", error)
    found = find_measure("error", runs)
    table, usual = tabulate(tiny, runs, measure=found), tabulate(tiny, runs)
    assert [100 - row.mean for row in table.rows] == pytest.approx([row.mean for row in usual.rows])
    study = load_study("path")
    theirs = judge_study(study, runs, measure=found).verdicts
    ours = judge_study(study, runs, given_images=True).verdicts
    assert [each.verdict for each in theirs] == [each.verdict for each in ours]
    assert [each.p for each in theirs] == pytest.approx([each.p for each in ours])
    assert "error %, mean ± std (n)" in render(table, "md")


def test_an_unknown_measure_names_those_there_are(runs):
    with pytest.raises(Problem, match="unknown measure 'energie'.*did you mean 'energy'.*top1"):
        find_measure("energie", runs)


def test_a_subject_selects_once(tiny, runs, monkeypatch):
    calls = []

    def counted(roadmap, records, data=None, **options):
        if not hasattr(records, "references"):
            calls.append(roadmap.name)
        return select(roadmap, records, data, **options)

    for module in ("analysis.subject", "analysis.tables.table", "analysis.verdicts.study"):
        monkeypatch.setattr(f"{module}.select", counted)
    study = load_study("leave-one-out")
    subject = Subject(roadmap=study.roadmap, study=study, records=runs, measure=TOP1)
    assert subject.table and subject.judged and subject.runs and subject.specs
    assert subject.table is subject.table and calls == ["leave-one-out"]
    assert subject.path.judged.name == "path" and calls == ["leave-one-out", "path"]
