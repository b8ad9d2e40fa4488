"""A row with several candidates is shown by the one that is best on the select split."""

import dataclasses

import pytest

from analysis.selection import named, select
from analysis.tables.table import tabulate
from roadmap.choice import read_choice
from steps.roadmaps.load import load_roadmap

from .conftest import record

CHOICE = {"recipe.learning_rate": ["x0.5", "x1", "x2"]}


@pytest.fixture(scope="module")
def chosen_path():
    return dataclasses.replace(load_roadmap("tiny"), choose=read_choice(CHOICE))


def candidate(roadmap, number, top1, select_top1, seed=0, **changes):
    row = roadmap[number]
    run = record(roadmap, number, seed, top1, spec=row.spec, label_row=row.number, **changes)
    metrics = {} if select_top1 is None else {"select_top1": select_top1}
    return dataclasses.replace(run, metrics=metrics)


def test_the_best_on_select_counts_though_another_is_better_on_val(chosen_path):
    runs = [
        candidate(chosen_path, "05@0.001", top1=99.0, select_top1=80.0),
        candidate(chosen_path, "05@0.002", top1=70.0, select_top1=85.0),
        candidate(chosen_path, "05@0.004", top1=90.0, select_top1=84.0),
        candidate(chosen_path, "05@0.002", top1=72.0, select_top1=1.0, seed=1),
    ]
    selection = select(chosen_path, runs)
    assert selection.chosen == {"05": "05@0.002"}
    assert [run.top1 for run in selection.rows["05"]] == [70.0, 72.0]
    row = next(row for row in tabulate(chosen_path, runs).rows if row.row == "05")
    assert (row.mean, row.n) == (71.0, 2)
    assert selection.roadmap["05"].spec.recipe.learning_rate == 0.002
    assert "05: 0.002 (0.001: 80.0 %, 0.002: 85.0 %, 0.004: 84.0 %)" in selection.notes[-1]


def test_a_row_without_all_candidates_is_not_chosen_yet(chosen_path):
    runs = [
        candidate(chosen_path, "05@0.001", 80.0, 80.0),
        candidate(chosen_path, "05@0.002", 85.0, 85.0),
        candidate(chosen_path, "05@0.004", 86.0, None),
    ]
    selection = select(chosen_path, runs)
    assert not selection.rows
    assert selection.notes[-1] == "learning rate not chosen yet, since runs are missing: 05"


def test_a_diverged_candidate_counts_as_0(chosen_path):
    runs = [
        candidate(chosen_path, "05@0.001", 80.0, 80.0),
        candidate(chosen_path, "05@0.002", 85.0, 85.0),
        candidate(chosen_path, "05@0.004", None, None, status="diverged"),
    ]
    assert select(chosen_path, runs).chosen == {"05": "05@0.002"}


def test_collected_runs_hold_all_candidates(chosen_path):
    runs = [
        candidate(chosen_path, f"05@{rate}", 80.0, 80.0 + place)
        for place, rate in enumerate(("0.001", "0.002", "0.004"))
    ]
    names = named(chosen_path, select(chosen_path, runs))
    assert list(names) == [f"05@{rate}-width-seed0" for rate in ("0.001", "0.002", "0.004")]
