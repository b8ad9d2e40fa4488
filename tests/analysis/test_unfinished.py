"""Runs that are not finished: marked in tables, dashed in curves, and never averaged."""

import json

import pytest

from analysis.figures.curves import curve_drawings, draw_curves
from analysis.figures.history import histories, open_histories
from analysis.selection import select
from analysis.subject import Subject
from analysis.tables.render import render
from analysis.tables.table import tabulate
from roadmap.unfinished import Begun, read_unfinished, write_begun
from steps.studies.load import load_study


@pytest.fixture
def runs(tiny, invented, tmp_path):
    """A folder of runs: 00 seed 0 finished, 00 seed 1 and 05 seed 0 not."""
    for row, seed, tops in (("00", 0, ()), ("00", 1, (10, 20)), ("05", 0, (5, 45.06, 41))):
        run = invented.record(tiny, row, seed=seed)
        folder = tmp_path / run.identity.run
        folder.mkdir()
        begun = Begun(
            identity=run.identity,
            label=run.label,
            data="fractals",
            classes=tiny[row].spec.network.classes,
            epochs=run.spec["recipe"]["epochs"],
        )
        write_begun(begun, folder)
        history = [{"epoch": epoch, "top1": top, "loss": 1.0} for epoch, top in enumerate(tops)]
        lines = "".join(json.dumps(epoch) + "\n" for epoch in history)
        (folder / "metrics.jsonl").write_text(lines)
        if not tops:
            (folder / "record.json").write_text("{}")
    return tmp_path


def test_a_table_marks_them_and_csv_stays(tiny, invented, runs):
    records, found = [invented.record(tiny, "00", top1=70.0)], read_unfinished(runs)
    assert len(found) == 2
    selection = select(tiny, records, unfinished=found)
    table = tabulate(tiny, selection)
    text = render(table, "terminal")
    epochs = tiny["05"].spec.recipe.epochs
    assert f"(41.0 at 3/{epochs})" in text and "70.0 (1)" in text
    note = f"not finished, not averaged (epochs done): 00 (seed 1: 2/{epochs}), 05 (seed 0: 3/"
    assert note in " ".join(text.split())
    assert all(len(line) <= 80 for line in text.splitlines())
    assert render(table, "csv") == render(tabulate(tiny, records), "csv")
    nothing = tabulate(tiny, select(tiny, [], unfinished=found))
    assert f"(20.0 at 2/{epochs})" in render(nothing, "md")
    other = select(tiny, [invented.record(tiny, "00", data="other")], unfinished=found)
    assert not other.unfinished


def test_curves_draw_them_dashed(tiny, invented, runs):
    found = read_unfinished(runs)
    selection = select(tiny, [], unfinished=found)
    curves, dashed = histories(selection, "top1"), open_histories(selection, "top1")
    first, second = draw_curves(selection.roadmap, curves, "top-1", unfinished=dashed).axes
    assert [line.get_linestyle() for line in (*first.lines, *second.lines)] == ["--", "--"]
    assert second.lines[0].get_ydata().tolist() == [5, 45.06, 41]
    low, high = first.get_ylim()
    assert low < 5 and high > 45.06
    subject = Subject(roadmap=tiny, study=load_study("path"), records=[], unfinished=found)
    drawing = next(each for each in curve_drawings(subject) if each.name == "curves-top1")
    assert "Dashed: not finished, with the epochs done: 00 seed 1 (2/" in drawing.caption


def test_folders_that_say_nothing_are_left_out(runs):
    for name, text in (("torn", "{"), ("other", '{"identity": 3}'), ("list", "[]")):
        (runs / name).mkdir()
        (runs / name / "begun.jsonl").write_text(text)
    found = read_unfinished(runs)
    assert len(found) == 2
    assert len(read_unfinished(runs, [found[0].begun.identity.run])) == 1
    moved = runs / found[1].begun.identity.run
    moved.rename(runs / f"{moved.name}.aside-1")
    assert len(read_unfinished(runs)) == 1
