"""Sides against the first one: rows with the same spec, what steps add, and what is left out."""

import dataclasses
import json

import pytest

from analysis.compare import Side, compare
from analysis.selection import select
from analysis.tables.compare_table import render_comparison
from roadmap.cli.main import main
from roadmap.errors import Problem
from roadmap.record import write_record

TOPS = {"00": (70.0, 70.4), "01": (75.0, 75.4), "02": (75.1, 75.3)}


def runs(roadmap, invented, tops, **given):
    return [
        invented.record(roadmap, row, seed, top1, **given)
        for row, each in tops.items()
        for seed, top1 in enumerate(each)
    ]


@pytest.fixture
def longer(tiny):
    return tiny.overridden({"recipe.epochs": 7})


@pytest.fixture
def sides(tiny, longer, invented):
    more = {row: tuple(top1 + 10 for top1 in each) for row, each in TOPS.items()}
    records = [*runs(tiny, invented, TOPS), *runs(longer, invented, more)]
    return [
        Side(name=name, selection=select(roadmap, records))
        for name, roadmap in (("5 epochs", tiny), ("7 epochs", longer))
    ]


def test_rows_on_the_same_data_have_a_difference_and_an_interval(sides):
    found = compare(sides, margin=1.0)
    assert found.of == "rows" and [line.row for line in found.lines] == ["00", "01", "02"]
    for line in found.lines:
        assert line.verdict.difference == pytest.approx(10.0) and line.verdict.verdict == "better"
        assert line.verdict.low < 10 < line.verdict.high
    text = render_comparison(found, "md")
    assert "| 00 | ResNet | 70.2 ± 0.3 (2) | 80.2 ± 0.3 (2) | +10.0 |" in text


def test_what_steps_add_is_the_same_on_both_sides(sides):
    found = compare(sides, of="steps", margin=1.0)
    assert [line.row for line in found.lines] == ["01", "02"]
    assert [line.first.mean for line in found.lines] == pytest.approx([5.0, 0.0])
    assert all(line.verdict.difference == pytest.approx(0.0) for line in found.lines)
    assert "+5.0 ± 0.4 (2)" in render_comparison(found, "md")


def test_different_data_compare_steps_and_intervals_are_over_seeds(tiny, invented):
    records = [*runs(tiny, invented, TOPS), *runs(tiny, invented, TOPS, data="photos", version="p")]
    both = [
        Side(name=name, selection=select(tiny, records, name)) for name in ("fractals", "photos")
    ]
    found = compare(both)
    assert found.of == "steps" and not found.judged.new_images
    assert "different validation images" in " ".join(found.judged.notes)


def test_three_sides_are_two_groups_and_the_figure_has_a_row_for_each_line(sides, tiny, invented):
    from analysis.figures.effects import comparison_drawing

    again = dataclasses.replace(sides[1], name="again")
    found = compare([*sides, again])
    assert [line.side for line in found.lines] == ["7 epochs"] * 3 + ["again"] * 3
    groups = {verdict.group: verdict.group.colour for verdict in found.judged.verdicts}
    assert len(set(groups.values())) == 2
    for width in ("one-column", "two-column"):
        (axes,) = comparison_drawing(found.judged, ["a", "b"]).draw(width=width).axes
        shown = [text.get_text() for text in axes.texts]
        assert shown.count("better") == 6 and {"7 epochs", "again", "02"} <= set(shown)


def test_shared_runs_and_missing_rows_are_named(tiny, invented, sides):
    with pytest.raises(Problem, match="no rows in common with runs of their own"):
        compare([sides[0], dataclasses.replace(sides[0], name="same")])
    few = select(tiny, runs(tiny, invented, {"00": TOPS["00"]}))
    found = compare([sides[1], Side(name="few", selection=few)])
    assert "not compared: 01, 02" in " ".join(found.judged.notes)
    with pytest.raises(Problem, match="'none' has no finished runs"):
        compare([sides[0], Side(name="none", selection=select(tiny, []))])


@pytest.fixture
def folder(tmp_path, tiny, longer, invented):
    made = [*runs(tiny, invented, TOPS), *runs(longer, invented, TOPS)]
    made += runs(longer, invented, TOPS, data="photos", version="p")
    for place, record in enumerate(made):
        write_record(record, tmp_path / f"{place}.json")
    return tmp_path


@pytest.mark.parametrize(
    "sides",
    [
        ("tiny", "recipe.epochs=7"),
        ("recipe.epochs=7", "photos,recipe.epochs=7"),
        ("tiny,fractals", "tiny,recipe.epochs=7,photos"),
    ],
)
def test_the_command_takes_every_kind_of_side(folder, sides, capsys):
    given = ["--runs", str(folder), "--out", str(folder / "out"), "--format", "json"]
    assert main(["compare", *sides, *given]) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert {row["other"] for row in rows} == {sides[1]} and all(row["first_n"] for row in rows)
    assert {path.name for path in (folder / "out").iterdir()} == {
        f"compare.{kind}" for kind in ("pdf", "svg", "png", "txt")
    }


@pytest.mark.parametrize("format", ["terminal", "md", "csv", "latex"])
def test_every_format(sides, format):
    text = render_comparison(compare(sides), format)
    assert "10.0" in text and (format != "terminal" or max(map(len, text.splitlines())) <= 80)


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (["tiny"], "compare needs two or more different sides"),
        (["tiny", "tiny"], "compare needs two or more different sides"),
        (["tiny", "nosuch"], "unknown side 'nosuch'; valid: "),
        (["tiny", "nosuch@tiny"], "ROADMAP@SCALE"),
        (["tiny", "resnet50@nosuch"], "unknown scale 'nosuch'"),
        (["tiny", "no.yaml@tiny"], "no.yaml: No such file"),
        (["tiny", "resnet50@tiny"], "'resnet50@tiny' has no finished runs"),
        (["tiny", "no.yaml"], "file no.yaml does not exist"),
        (["tiny", "small,tiny"], "names a roadmap twice"),
        (["tiny", "recipe.epochs=x"], "recipe.epochs"),
        (["tiny", "detection,tiny-old"], "'tiny:detection' is to be trained for detection, but"),
    ],
)
def test_what_is_wrong_is_named(folder, sides, message, capsys):
    assert main(["compare", *sides, "--runs", str(folder)]) == 2
    assert message in capsys.readouterr().err
