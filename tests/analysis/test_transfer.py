"""Sides with different measures: effects next to each other, and whether their orders agree."""

import dataclasses
import json

import pytest
from scipy.stats import spearmanr

from analysis.compare import Side
from analysis.figures.effects import transfer_drawings
from analysis.measures import MEASURES
from analysis.selection import select
from analysis.tables.transfer_table import FORMATS, render_transfer, transfer_apart
from analysis.transfer import transfer
from analysis.verdicts.study import judge_study
from roadmap.cli.main import main
from roadmap.errors import Problem
from roadmap.record import write_record
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

TASKS = {"tiny": "top1", "tiny:detection": "box_ap", "tiny:segmentation": "miou"}
VALUES = (20.0, 24.0, 23.0, 25.5, 25.0, 31.0, 30.0)  # of rows 00 to 06


@pytest.fixture(scope="module")
def roadmaps():
    return {name: load_roadmap(name) for name in TASKS}


def runs(roadmaps, invented, name, values, seeds=3):
    make = invented.record if name == "tiny" else invented.task_record
    return [
        make(roadmaps[name], f"{row:02}", seed, value + 0.2 * seed)
        for row, value in enumerate(values)
        for seed in range(seeds)
    ]


@pytest.fixture(scope="module")
def sides(roadmaps, invented):
    """One step aside, detection has the order of classification; segmentation has the reverse."""
    values = {
        "tiny": [2 * value for value in VALUES],
        "tiny:detection": (20.0, 24.0, 23.5, 25.5, 26.0, 31.0, 30.0),
        "tiny:segmentation": [50 - value for value in VALUES],
    }
    return [
        Side(name=name, selection=select(roadmaps[name], runs(roadmaps, invented, name, own)))
        for name, own in values.items()
    ]


MEASURED = [MEASURES[key] for key in TASKS.values()]


def test_each_side_has_its_own_effects(sides):
    shown = transfer(sides[:2], MEASURED[:2])
    assert shown.of == "steps"
    by_row = {line.row: [one.difference for one in line.verdicts] for line in shown.lines}
    assert by_row["02"] == pytest.approx([-2.0, -0.5])
    assert by_row["05"] == pytest.approx([12.0, 5.0])
    first, other = shown.lines[-1].verdicts
    assert first.low < -2 < first.high and other.images_low is not None


def test_the_rank_correlation_is_spearmans_with_an_interval(sides):
    shown = transfer(sides, MEASURED)
    pairs = {(pair.first, pair.other, pair.of): pair for pair in shown.pairs}
    assert len(pairs) == 6
    ours, theirs = zip(
        *([one.difference for one in line.verdicts[:2]] for line in shown.lines), strict=True
    )
    agree = pairs["tiny", "tiny:detection", "steps"]
    assert agree.correlation == pytest.approx(spearmanr(ours, theirs).statistic)
    assert agree.low < agree.correlation < agree.high and agree.lines == len(ours)
    rows = pairs["tiny", "tiny:detection", "rows"]
    assert rows.low is None and rows.lines == 7
    opposed = pairs["tiny", "tiny:segmentation", "steps"]
    assert opposed.correlation == pytest.approx(-1) and opposed.same == 0


def test_a_step_that_changes_nothing_on_one_side_is_left_out(sides, roadmaps):
    rows = roadmaps["tiny:detection"]
    equal = [row.number for row in rows if row.before and row.spec == row.before.spec]
    shown = transfer(sides[:2], MEASURED[:2])
    listed = {line.row for line in shown.lines}
    assert not listed & set(equal)
    if equal:
        assert any(note.startswith("changes nothing on one side") for note in shown.notes)


def test_a_step_that_is_a_recipe_on_one_side_alone_is_no_common_step(sides):
    """With one recipe for all rows, row 01 of detection differs from row 00 by drop path."""
    left_out = "changes the recipe on one side alone, left out: 01"
    shown = transfer(sides, MEASURED)
    assert "01" not in {line.row for line in shown.lines} and left_out in shown.notes
    assert {pair.lines for pair in shown.pairs if pair.of == "steps"} == {5}
    same = transfer(sides[1:], MEASURED[1:])  # both have their task's recipe in all rows
    assert "01" in {line.row for line in same.lines} and left_out not in same.notes


def test_looks_at_a_side_count(roadmaps, invented):
    """Three seeds and then two more: p is doubled, as `roadmap verdicts` doubles it."""
    values = {"tiny": [2 * value for value in VALUES], "tiny:detection": VALUES}
    made = []
    for name, own in values.items():
        records = runs(roadmaps, invented, name, own, seeds=5)
        if name == "tiny":
            for place, run in enumerate(records):
                late = run.identity.seed >= 3
                when = f"2026-02-0{2 if late else 1}T00:00:00+00:00"
                changed = dataclasses.replace(
                    run.provenance, started=when, finished=when.replace("T00", "T01"),
                    command=f"roadmap run --seeds {5 if late else 3}",
                )  # fmt: skip
                records[place] = dataclasses.replace(run, provenance=changed)
        made.append(Side(name=name, selection=select(roadmaps[name], records)))
    shown = transfer(made, MEASURED[:2])
    note = "side tiny: seeds were added in steps: p counts 2 looks at the runs"
    assert [note] == [one for one in shown.notes if "looks" in one]
    study = judge_study(load_study("path"), made[0].selection)
    alone = {verdict.step: verdict.p_alone for verdict in study.verdicts}
    (line,) = [line for line in shown.lines if line.row == "02"]
    assert line.verdicts[0].p_alone == pytest.approx(alone["stage_ratio"])
    assert line.verdicts[0].p >= 2 * line.verdicts[0].p_alone


def test_sides_without_a_step_in_common_are_compared_by_rows(roadmaps, invented):
    sides = []
    for name in ("tiny", "tiny:detection"):
        kept = [
            run
            for run in runs(roadmaps, invented, name, VALUES)
            if run.label.row in ("00", "02", "04")  # no row and the one before it
        ]
        sides.append(Side(name=name, selection=select(roadmaps[name], kept)))
    shown = transfer(sides, MEASURED[:2])
    assert shown.of == "rows" and [line.row for line in shown.lines] == ["00", "02", "04"]
    with pytest.raises(Problem, match="tiny, tiny:detection have no step in common .* --of rows"):
        transfer(sides, MEASURED[:2], of="steps")


def test_a_lower_loss_is_a_gain(sides, roadmaps, invented):
    losses = Side(name="loss", selection=sides[0].selection)
    with pytest.raises(Problem, match="'none' has no finished runs with box_ap"):
        empty = Side(name="none", selection=select(roadmaps["tiny:detection"], []))
        transfer([sides[0], empty], MEASURED[:2])
    shown = transfer([losses, sides[1]], [MEASURES["loss"], MEASURED[1]])
    assert shown.pairs[0].correlation is None  # all invented losses are the same


@pytest.mark.parametrize("of", ["rows", "steps"])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format(sides, of, format):
    shown = transfer(sides, MEASURED, of=of)
    text = render_transfer(shown, format)
    apart = transfer_apart(shown, format)
    said = " ".join([text, *apart]).replace("\n", " ")
    assert "box" in said and ("tiny:segmentation" in said)
    if format == "terminal":
        assert max(map(len, text.splitlines())) <= 80
    if format == "json":
        assert len(json.loads(text)["lines"]) == 3 * len(shown.lines)
        assert len(json.loads(text)["agreements"]) == 6
    else:
        assert "rank correlation of what steps add" in said


@pytest.fixture
def folder(tmp_path, roadmaps, invented):
    made = [run for name in TASKS for run in runs(roadmaps, invented, name, VALUES, seeds=2)]
    for place, record in enumerate(made):
        write_record(record, tmp_path / f"{place}.json")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sides", "measures"),
    [
        (["tiny", "tiny:detection", "tiny:segmentation"], {"top1", "box_ap", "miou"}),
        (["classification", "detection"], {"top1", "box_ap"}),
        (["tiny:detection", "tiny:detection,measure=mask_ap"], {"box_ap", "mask_ap"}),
        (["tiny", "tiny,measure=loss"], {"top1", "loss"}),
    ],
)
def test_the_command_takes_tasks_and_measures_as_sides(folder, sides, measures, capsys):
    given = ["--runs", str(folder), "--format", "json", "--out", str(folder / "out")]
    assert main(["compare", *sides, *given]) == 0
    said = capsys.readouterr()
    lines = json.loads(said.out)["lines"]
    assert {line["measure"] for line in lines} == measures
    assert {line["side"] for line in lines} == set(sides)
    assert "rank correlation of what steps add" in said.err
    drawn = {path.stem for path in (folder / "out").glob("*.pdf")}
    assert drawn == ({"compare"} if len(sides) == 2 else {"compare-1", "compare-2"})


def test_each_side_of_the_figure_has_the_axis_of_its_measure(sides):
    shown = transfer(sides, MEASURED)
    drawn = transfer_drawings(shown.judged, [side.source for side in sides])
    for drawing, label in zip(drawn, ("box AP", "mIoU"), strict=True):
        left, right = drawing.draw(width="two-column").axes
        assert left.get_xlabel() == "difference, points of top-1"
        assert right.get_xlabel() == f"difference, points of {label}"
        assert left.get_xlim() != right.get_xlim()


def test_a_sides_measure_must_be_one_of_its_task(folder, capsys):
    given = ["--runs", str(folder)]
    assert main(["compare", "tiny", "tiny:detection,measure=top1", *given]) == 2
    assert "measure 'top1' is of classification; the rows are trained for detection" in (
        capsys.readouterr().err
    )
