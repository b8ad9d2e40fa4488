"""Titles, groups and colours of a user's own steps and rows."""

import pytest

from analysis.colours import COLOURS, colour
from roadmap.errors import Problem
from roadmap.spec import to_dict
from steps.roadmaps.load import load_roadmap

STEPS = '''
from roadmap.edit import edit_units, is_spatial

def bigger(spec, kernel: int = 5):
    """Look further."""
    return edit_units(spec, is_spatial, kernel=kernel)
'''
LOOK = """
TITLES = {"bigger": "kernel {kernel}"}
GROUPS = {"bigger": "attention"}
COLOURS = {"attention": "#aa3377"}
"""
ROADMAP = 'base: {roadmap: tiny, row: "05"}\nrows:\n'


@pytest.fixture
def load(tmp_path):
    def make(rows, constants=""):
        (tmp_path / "steps.py").write_text(constants + STEPS)
        (tmp_path / "mine.yaml").write_text(ROADMAP + rows)
        return load_roadmap(tmp_path / "mine.yaml", steps=tmp_path / "steps.py")

    return make


def test_constants_of_a_steps_file(load):
    row = load("  - bigger: {kernel: 7}\n", LOOK)["01"]
    assert (row.title, row.group, colour(row.group)) == ("kernel 7", "attention", "#AA3377")


def test_an_entry_of_a_roadmap_has_the_last_word(load):
    rows = '  - bigger:\n    title: my kernel\n    group: mine\n    colour: "#112233"\n'
    row = load(rows, LOOK)["01"]
    assert (row.title, row.group, colour(row.group)) == ("my kernel", "mine", "#112233")
    only = load('  - bigger:\n    colour: "#112233"\n', LOOK)["01"]
    assert (only.title, only.group, colour(only.group)) == ("kernel 5", "attention", "#112233")


def test_looks_change_no_spec(load):
    plain = load("  - gelu:\n")["01"].spec
    looks = load('  - gelu:\n    title: x\n    group: y\n    colour: "#112233"\n')["01"].spec
    assert to_dict(plain) == to_dict(looks)


def test_two_branches_are_told_apart(load):
    rows = "  - bigger:\n    branches: {big: {bigger: {kernel: 7}}, huge: {bigger: {kernel: 9}}}\n"
    titles = [row.title for row in load(rows)][1:]
    assert titles == ["bigger (kernel 5)", "bigger (kernel 7)", "bigger (kernel 9)"]
    named = rows.replace("{kernel: 7}", "{kernel: 7}, title: seven")
    assert [row.title for row in load(named)][2] == "seven"


def test_groups_without_a_colour_have_that_of_own_steps(load):
    row = load("  - bigger:\n")["01"]
    assert row.group == "own steps" and colour(row.group) == COLOURS["own steps"]


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ('TITLES = {"smaller": "x"}\n', "unknown key of .*TITLES: 'smaller'.*bigger"),
        ("TITLES = []\n", "TITLES must be a dict"),
        ('COLOURS = {"own steps": "red"}\n', 'colour must be written as "#CC6677", got .red'),
        ('GROUPS = {"bigger": ""}\n', "must be text of 1 to 100 characters"),
    ],
)
def test_wrong_constants(load, constants, message):
    with pytest.raises(Problem, match=message):
        load("  - bigger:\n", constants)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("colour: red", "mine.yaml:3.*row 01: colour must be written as"),
        ("title: 5", "title must be text of 1 to 100 characters, got 5"),
        ("group: [a]", "group must be text"),
    ],
)
def test_wrong_entries(load, entry, message):
    with pytest.raises(Problem, match=message):
        load(f"  - bigger:\n    {entry}\n")
    with pytest.raises(Problem, match="row 01 names no step"):
        load("  - title: alone\n")
