"""Runs of detection and segmentation: tables, verdicts, figures and the report follow the task."""

import dataclasses
import json

import numpy
import pytest
import yaml

from analysis.figures.gallery import FIGURES, drawings
from analysis.measures import MEASURES, find_measure, main_measure
from analysis.precision import precision
from analysis.selection import select
from analysis.subject import Subject
from analysis.tables.render import FORMATS, render
from analysis.tables.table import tabulate
from analysis.tables.verdict_table import render_verdicts
from analysis.verdicts.images import over_images
from analysis.verdicts.runs import right_images
from analysis.verdicts.study import judge_study
from roadmap.cli.given import same_options
from roadmap.cli.main import main
from roadmap.cli.options import make_parser
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from roadmap.heads import task_cost
from roadmap.record import write_record
from roadmap.spec import to_dict
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

LABEL = {"detection": "box AP", "segmentation": "mIoU"}


@pytest.fixture(scope="module", params=LABEL)
def task(request):
    return request.param


@pytest.fixture(scope="module")
def rows(tiny, invented, task):
    return invented.for_task(tiny, task)


@pytest.fixture(scope="module")
def runs(rows, invented):
    return invented.task_study(rows)


@pytest.fixture(scope="module")
def subject(rows, runs, task):
    study = load_study("path", roadmap=rows.name, read_roadmap=lambda name, steps: rows)
    return Subject(roadmap=rows, study=study, records=runs, measure=main_measure(task))


@pytest.mark.parametrize("format", FORMATS)
def test_tables_and_verdicts_have_the_tasks_measure(subject, task, format):
    text, verdicts = render(subject.table, format), render_verdicts(subject.judged, format)
    assert all(row.n == 3 and row.paper_mean is None for row in subject.table.rows)
    if format in ("terminal", "md", "latex"):
        assert LABEL[task] in text + verdicts
        for word in ("top-1", "paper", "chance", "nearest", "binomial"):
            assert word not in (text + verdicts).lower(), word
    if format == "terminal":
        assert max(map(len, f"{text}\n{verdicts}".splitlines())) <= 80


def test_the_table_says_how_well_one_networks_number_is_known(subject, task):
    (told,) = subject.table.precision
    assert told.startswith(f"300 validation images: the {LABEL[task]} of one network is known to ±")
    assert told.endswith("points (95 % interval of the jackknife over images)")
    # scores differ by a standard deviation of 55 points: 1.96 × 55 / sqrt(300)
    assert 5.6 < float(told.partition("±")[2].split()[0]) < 6.8


def test_one_run_per_row_is_no_evidence(rows, invented, task):
    runs = invented.task_study(rows, seeds=1)
    told = precision(select(rows, runs).rows, main_measure(task))
    assert any(text.startswith("one run per row") for text in told)


def test_verdicts_hold_for_other_images(subject):
    judged = subject.judged
    assert judged.new_images and "over validation images" in judged.over
    for verdict in judged.verdicts:
        assert verdict.images_low < verdict.difference < verdict.images_high
        assert verdict.high - verdict.low > verdict.seeds_high - verdict.seeds_low


def test_the_part_of_images_is_the_jackknife_variance(rows, invented, task):
    """Pseudo-values outside 0 to 1; one seed: no noise of seeds is subtracted."""
    pair = {number: [invented.task_record(rows, number, value=20)] for number in ("04", "05")}
    scores = right_images(pair, main_measure(task))
    assert max(scores["04"][0]) > 1 and min(scores["04"][0]) < 0
    estimate = over_images(scores, {"05": 1.0, "04": -1.0})
    differences = 100 * (scores["05"][0] - scores["04"][0])
    without = (differences.sum() - differences) / (len(differences) - 1)
    jackknife = (len(without) - 1) / len(without) * ((without - without.mean()) ** 2).sum()
    assert estimate.error == pytest.approx(numpy.sqrt(jackknife))


def test_more_seeds_do_not_change_the_part_of_images(rows, invented, task):
    """The noise of seeds within images is no error of images."""
    measure, errors = main_measure(task), []
    for seeds in (2, 40):
        runs = {
            number: [
                invented.task_record(rows, number, seed, value, own=1.0) for seed in range(seeds)
            ]
            for number, value in (("04", 20.0), ("05", 21.0))
        }
        errors.append(over_images(right_images(runs, measure), {"05": 1.0, "04": -1.0}).error)
    assert max(errors) < 3.5  # the noise of two seeds alone would be 5.8


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FIGURES if name != "receptive-field"])
def test_figures_have_the_tasks_measure(subject, name, task):
    drawn = drawings(name, subject)
    assert drawn
    for drawing in drawn[:2]:
        figure = drawing.draw(width="two-column")
        figure.draw_without_rendering()
        texts = [drawing.caption, *(text.get_text() for text in figure.findobj(match=is_text))]
        assert not any("top-1" in text for text in texts), drawing.name


def is_text(artist):
    return hasattr(artist, "get_text")


def test_the_valid_measures_are_those_of_the_task(runs, task):
    other = {"detection": "miou", "segmentation": "box_ap"}[task]
    for key in ("top1", other):
        with pytest.raises(Problem) as refused:
            find_measure(key, runs, task)
        told = str(refused.value)
        assert told.startswith(f"measure '{key}' is of ")
        assert f"the rows are trained for {task}, valid: " in told
        listed = told.partition("valid: ")[2].split(", ")
        assert main_measure(task).key in listed and "top5" not in listed
        assert listed[-1].startswith("train_")
    assert find_measure(None, (), task) is main_measure(task)
    assert MEASURES["box_ap"].difference == "points"


@pytest.fixture
def mine(tmp_path, invented, task, monkeypatch):
    """A roadmap file with a task, and records of its runs in runs/."""
    monkeypatch.chdir(tmp_path)
    recipe = invented.for_task(load_roadmap("tiny"), task).rows[-1].spec.recipe
    (tmp_path / "my-task.yaml").write_text(yaml.safe_dump(to_dict(recipe)))
    lines = {
        "title": "mine", "base": {"roadmap": "tiny", "row": "05"}, "data": "fractals",
        "rows": [{"gelu": None}, {"layer_norm": None}],
        "tasks": {task: {"recipe": "my-task.yaml", "data": "fractal-scenes", "margin": 0.5}},
    }  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(lines, sort_keys=False))
    rows = load_roadmap("mine.yaml").for_task(task).with_classes(40)
    (tmp_path / "runs").mkdir()
    for row in rows:
        for seed in range(3):
            made = invented.task_record(rows, row.number, seed, 20 + int(row.number) + seed / 9)
            write_record(made, tmp_path / "runs" / f"{row.number}-{seed}.json")
    return ["--roadmap", "mine.yaml", "--task", task]


@pytest.mark.slow
def test_every_command_takes_the_tasks_measure_by_itself(mine, task, capsys, tmp_path):
    key = main_measure(task).key
    assert main(["table", *mine, "--format", "json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [round(row[key]) for row in table] == [20, 21, 22]
    assert main(["verdicts", "path", *mine]) == 0
    assert LABEL[task] in capsys.readouterr().out
    assert main(["plot", "roadmap", *mine, "--out", "figures"]) == 0
    assert main(["report", *mine, "--out", "report"]) == 0
    html = (tmp_path / "report" / "report.html").read_text()
    assert main_measure(task).words in html and "top-1" not in html
    assert main(["plan", "path", *mine, "--images", "100"]) == 0
    assert f"points of {LABEL[task]}" in capsys.readouterr().out


def test_recommended_commands_keep_the_task(mine, task):
    options = make_parser().parse_args(["verdicts", *mine, "--recipe", f"tiny-{task}"])
    assert same_options(Workspace(options))[:6] == [*mine, "--recipe", f"tiny-{task}"]


def test_the_path_of_the_default_roadmap_needs_no_name(task, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["verdicts", "--task", task]) == 0
    assert f"tiny ResNet → tiny ConvNeXt: {task}" in capsys.readouterr().out


def test_top1_of_a_detector_is_one_clear_error(mine, task, capsys):
    for command in ("table", "plot", "report"):
        assert main([command, *mine, "--measure", "top1"]) == 2
        out, told = capsys.readouterr()
        assert out == "" and told.count("\n") == 1
        assert "measure 'top1' is of classification; the rows are trained for " + task in told


def test_a_measure_of_a_task_is_none_of_a_classifier(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["table", "--measure", "box_ap"]) == 2
    assert capsys.readouterr().err == (
        "roadmap: measure 'box_ap' is of detection; the rows are trained for classification, "
        "valid: top1, top5, loss, images_per_second\n"
    )


def test_a_diverged_run_counts_as_0(rows, runs, task, subject):
    lost = dataclasses.replace(runs[-1], status="diverged", metrics={}, evaluations={})
    judged = judge_study(subject.study, [*runs[:-1], lost], measure=main_measure(task))
    assert any("with 0 % for each diverged run" in note for note in judged.notes)
    table = tabulate(rows, [*runs[:-1], lost], measure=main_measure(task))
    assert table.rows[-1].diverged == 1 and table.rows[-1].n == 2


def test_the_cost_is_that_of_backbone_and_head(subject, rows):
    for row, shown in zip(rows, subject.table.rows, strict=True):
        own = task_cost(row.spec)
        assert (shown.gmacs, shown.params) == (own.macs / 1e9, own.params)
    height, width = rows.rows[-1].spec.recipe.task.cost_size
    assert f"backbone and head, at {height} × {width} pixels" in subject.table.legend
