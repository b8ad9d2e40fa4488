"""choose: a field at several values, for each row."""

import dataclasses

import pytest

from roadmap.choice import read_choice
from roadmap.errors import Problem
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

FACTORS = {"recipe.learning_rate": ["x0.5", "x1", "x2"]}


@pytest.fixture(scope="module")
def path():
    return dataclasses.replace(load_roadmap("tiny"), choose=read_choice(FACTORS))


def test_factors_multiply_each_rows_own_value(path):
    rates = {
        number: [row.spec.recipe.learning_rate for row in path.candidates(path[number])]
        for number in ("00", "05")
    }
    assert rates == {"00": [0.05, 0.1, 0.2], "05": [0.001, 0.002, 0.004]}
    assert path["05@0.002"].spec == path["05"].spec  # the same run, trained once
    assert path.trials("width") == ("05@0.001", "05@0.002", "05@0.004")
    assert path.trials("05@0.004") == ("05@0.004",)


def test_a_row_without_the_field_is_its_own_candidate():
    path = load_roadmap("tiny")
    path = dataclasses.replace(path, choose=read_choice({"recipe.momentum": [0.8, 0.9]}))
    assert path.trials("00") == ("00@0.8", "00@0.9") and path.trials("05") == ("05",)


def test_setting_the_field_ends_the_choice(path):
    assert path.overridden({"recipe.epochs": 3}).choose == path.choose
    assert path.overridden({"recipe.learning_rate": 3e-3}).choose is None
    assert path.with_classes(7).choose == path.choose


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "choose must be one field"),
        ({"recipe.epochs": 3}, "needs a list"),
        ({"recipe.epochs": [3]}, "2 to 20 different values"),
        ({"recipe.epochs": [3, "3"]}, "2 to 20 different values"),
        ({"recipe.epochs": [3, "twice"]}, "'twice' is neither a number nor a factor"),
        ({"network.classes": [3, 4]}, "is no field of the recipe"),
    ],
)
def test_what_is_no_choice_is_refused(data, message):
    with pytest.raises(Problem, match=message):
        read_choice(data)


def test_a_study_chooses_and_names_file_and_line(tmp_path):
    assert load_study("fair").roadmap.choose == read_choice(FACTORS)
    field = "recipe.learning_rate"
    text = f"design: path\nset: {{{field}: 1e-3}}\nchoose: {{{field}: [x1, x2]}}\n"
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(Problem, match=r"mine.yaml:3: recipe.learning_rate is chosen"):
        load_study(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("design: path\nchoose: {recipe.none: [1, 2]}\n")
    with pytest.raises(Problem, match=r"mine.yaml:2: unknown field of recipe 'none'"):
        load_study(tmp_path / "mine.yaml")
