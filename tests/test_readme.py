"""What the README shows is what the program does."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from analysis.compare import Side
from analysis.figures.gallery import FIGURES as GALLERY
from analysis.figures.gallery import drawings
from analysis.measures import TOP1, main_measure
from analysis.selection import select
from analysis.subject import Subject
from analysis.tables.cells import signed
from analysis.tables.render import render
from analysis.tables.table import tabulate
from analysis.tables.transfer_table import render_transfer
from analysis.tables.verdict_table import render_verdicts
from analysis.transfer import transfer
from analysis.verdicts.paper import judge_paper
from analysis.verdicts.study import judge_study
from roadmap.cli.main import main
from roadmap.record import read_records
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
PYTHON, OWN_STEP = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
(OWN_ROADMAP,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


def test_the_python_way(capsys):
    exec(PYTHON, {})
    assert capsys.readouterr().out == "kernel size 7: 4.15 GMACs\n"


def test_own_roadmap_and_own_step_are_short_and_run(tmp_path):
    for text, name in ((OWN_ROADMAP, "mine.yaml"), (OWN_STEP, "my_steps.py")):
        assert len(text.splitlines()) < 20
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "roadmap", "cost", "--roadmap", str(tmp_path / "mine.yaml"),
         "--steps", str(tmp_path / "my_steps.py"), "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    rows = json.loads(found.stdout)
    assert [row["row"] for row in rows] == ["00", "01", "02", "02-k9", "03"]
    path = load_roadmap(tmp_path / "mine.yaml", steps=tmp_path / "my_steps.py")
    from roadmap.network import build

    network = build(path["02"].spec.network)
    assert rows[2]["params"] == sum(each.numel() for each in network.parameters())


def test_the_table_is_that_of_the_committed_records():
    folder = ROOT / "results" / "tiny"
    found = read_records(folder)
    assert not found.broken
    table = render(tabulate(load_roadmap("tiny"), found.records), "md")
    assert table == (folder / "table.md").read_text(encoding="utf-8").strip()
    assert "(results/tiny/table.md)" in README


def test_figures_of_the_real_images_are_those_of_the_committed_records():
    folder = ROOT / "results" / "cifar10-jpeg"
    path = load_roadmap("tiny").overridden({"recipe.epochs": 7})
    table = tabulate(path, read_records(folder).records, data="cifar10-jpeg")
    assert not table.notes
    assert render(table, "md") == (folder / "table.md").read_text(encoding="utf-8").strip()
    text = " ".join(README.split())
    measured = [row for row in table.rows if row.n]
    assert [row.row for row in measured] == ["00", "01", "05", "10", "13"]
    for row in measured:
        assert f"{row.row} {row.title} {row.mean:.1f} %" in text


def test_verdicts_in_words_are_those_of_the_committed_records():
    folder = ROOT / "results" / "tiny"
    records = read_records(folder).records
    judged = judge_study(load_study("path"), records)
    text = render_verdicts(judged, "md")
    assert text == (folder / "verdicts.md").read_text(encoding="utf-8").strip()
    found = {each.step: each for each in judged.verdicts}
    assert {step: each.verdict for step, each in found.items() if each.verdict != "undecided"} == {
        "training_recipe": "worse",
        "stage_ratio": "worse",
        "depthwise": "worse",
        "width": "better",
        "fewer_activations": "better",
    }
    most = found["fewer_activations"]
    assert (round(most.difference, 1), round(most.low, 1), round(most.high, 1)) == (
        35.9,
        28.9,
        42.8,
    )
    text = " ".join(README.split())
    assert "`fewer_activations` adds 35.9 points (95 % interval +28.9 to +42.8)" in text
    assert len(found) == 16 and "Five of sixteen steps are decided." in text
    three = [run for run in records if run.identity.seed < 3]
    judged = judge_study(load_study("path"), three).verdicts
    assert [each.step for each in judged if each.p < 0.05] == ["depthwise", "width"]
    printed = load_study("path", roadmap="resnet50")
    paper = judge_paper(printed, printed.roadmap.paper).verdicts
    path = [each for each in paper if "-" not in each.step and each.p is not None]
    open_ones = [each.step for each in path if each.verdict not in ("better", "worse")]
    assert open_ones == ["patchify_stem", "gelu", "fewer_norms", "layer_norm"]


def test_committed_records_are_those_of_todays_specs():
    records = read_records(ROOT / "results" / "tiny").records
    path = load_roadmap("tiny")
    for record in records:
        assert record.identity.spec == path[record.label.row].spec.fingerprint
    rows = [row.number for row in path if not row.is_branch]
    for row in rows:
        seeds = sorted(r.identity.seed for r in records if r.label.row == row)
        assert seeds == [0, 1, 2, 3, 4], row


def test_collect_writes_records_as_they_are_committed(tmp_path):
    committed = ROOT / "results" / "tiny"
    code = main(["collect", "--runs", str(committed), "--out", str(tmp_path)])
    assert code == 0
    names = sorted(path.name for path in committed.glob("*.json"))
    assert names == sorted(path.name for path in tmp_path.iterdir())
    assert all((tmp_path / name).read_bytes() == (committed / name).read_bytes() for name in names)


@pytest.mark.parametrize("name", ["leave-one-out", "learning-rate", "orders"])
def test_the_committed_verdicts_of_a_study_are_those_of_its_records(name):
    folder = ROOT / "results" / f"tiny-{name}"
    judged = judge_study(load_study(name), read_records(folder).records)
    assert render_verdicts(judged, "md") + "\n" == (folder / "verdicts.md").read_text()


FIGURES = sorted(ROOT.glob("results/*/figures/*.svg"))


def drawn_from(path):
    """What a figure says it was drawn from."""
    return re.search(r"<dc:source>([^<]*)</dc:source>", path.read_text(encoding="utf-8"))[1]


def task_sides():
    """The committed runs of the tiny rows in each task."""
    sides = []
    for name in ("tiny", "tiny:detection", "tiny:segmentation"):
        records = read_records(ROOT / "results" / name.replace(":", "-")).records
        sides.append(Side(name=name, selection=select(load_roadmap(name), records)))
    return sides


def test_the_committed_agreement_of_tasks_is_that_of_the_committed_records():
    measures = [main_measure(name) for name in ("classification", "detection", "segmentation")]
    shown = transfer(task_sides(), measures)
    folder = ROOT / "results" / "tiny-tasks"
    assert render_transfer(shown, "md") + "\n" == (folder / "compare.md").read_text()
    steps = [pair for pair in shown.pairs if pair.of == "steps"]
    told = [signed(pair.correlation, 2) for pair in steps]
    assert f"[{told[0]} and {told[1]}](results/tiny-tasks/compare.md)" in README
    results = " ".join((ROOT / "results" / "README.md").read_text().split())
    for pair, correlation in zip(steps, told, strict=True):
        assert f"{correlation} ({signed(pair.low, 2)} to {signed(pair.high, 2)})" in results
        assert pair.low < 0 < pair.high  # as both pages say


@pytest.mark.parametrize("task", ["detection", "segmentation"])
def test_the_committed_table_of_a_task_is_that_of_its_records(task):
    folder, roadmap = ROOT / "results" / f"tiny-{task}", load_roadmap(f"tiny:{task}")
    records = read_records(folder).records
    assert all(run.identity.spec == roadmap[run.label.row].spec.fingerprint for run in records)
    table = tabulate(roadmap, records, measure=main_measure(task))
    assert render(table, "md") + "\n" == (folder / "table.md").read_text()
    judged = judge_study(
        load_study("path", roadmap=roadmap.name), records, measure=main_measure(task)
    )
    assert render_verdicts(judged, "md") + "\n" == (folder / "verdicts.md").read_text()
    means = sorted(row.mean for row in table.rows if row.mean is not None)
    assert f"{means[0]:.1f} to {means[-1]:.1f}" in README


@cache
def shown_in(name):
    """The runs that a folder's figures show. Figures of a study also show the path's runs."""
    records = read_records(ROOT / "results" / name).records
    task = name.removeprefix("tiny-")
    if task in ("detection", "segmentation"):
        roadmap = load_roadmap(f"tiny:{task}")
        study = load_study("path", roadmap=roadmap.name)
        return Subject(roadmap=roadmap, study=study, records=records, measure=main_measure(task))
    if name in ("tiny", "tiny-receptive-field"):
        return Subject(
            roadmap=load_roadmap("tiny"), study=load_study("path"), records=records, measure=TOP1
        )
    study = load_study(task)
    everything = read_records(ROOT / "results").records
    return Subject(roadmap=study.roadmap, study=study, records=everything, measure=TOP1)


@cache
def captions_in(name):
    """The captions of all figures that a folder of results can have, by name."""
    shown = shown_in(name)
    return {each.name: each.caption for kind in GALLERY for each in drawings(kind, shown)}


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_committed_figures_were_drawn_from_the_committed_records(path):
    """By content: a record changed, added or taken away has another fingerprint."""
    name = path.parent.parent.name
    if name == "tiny-tasks":
        first, *others = (side.source for side in task_sides())
        assert drawn_from(path) == f"{first}; {others[int(path.stem[-1]) - 1]}"
        return
    assert path.with_suffix(".txt").read_text() == captions_in(name)[path.stem] + "\n"
    if path.stem.startswith("paper-"):
        assert "2201.03545" in drawn_from(path)
        return
    shown = shown_in(name)
    assert drawn_from(path) in (f"{shown.specs}, {shown.runs}", shown.specs)


def test_another_digit_is_another_fingerprint():
    study, path = load_study("path"), load_roadmap("tiny")
    records = read_records(ROOT / "results" / "tiny").records
    shown = Subject(roadmap=path, study=study, records=records)
    changed = (replace(records[0], top1=records[0].top1 - 0.05), *records[1:])
    assert replace(shown, records=changed).runs != shown.runs
    assert replace(shown, records=records[::-1]).runs == shown.runs
    assert replace(shown, records=records[1:]).runs != shown.runs


def test_the_readmes_pictures_are_committed_figures():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert len(pictures) >= 2
    assert {ROOT / picture for picture in pictures} <= set(FIGURES)


def test_runs_made_again_at_a_later_commit_are_the_same_runs():
    """Seed 0 of every row, trained twice: equal in all that was measured of accuracy."""
    first = {run.identity.run: run for run in read_records(ROOT / "results" / "tiny").records}
    again = read_records(ROOT / "results" / "tiny-receptive-field").records
    assert len(again) == 17
    for run in again:
        other = first[run.identity.run]
        assert (run.top1, run.loss, run.correct) == (other.top1, other.loss, other.correct)
        assert run.receptive_field is not None and run.provenance.commit != other.provenance.commit


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_the_menu_tells_the_truth():
    menu = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"make ([a-z]+)", menu)
    makefile = (ROOT / "Makefile").read_text()
    assert {"step", "roadmap", "table", "plots", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}(-%)?:", makefile, re.MULTILINE), target


BENCH = {  # a line of docs/performance.md: where its figures stand, and how they are written
    "13 without augmentation": (
        "loop-cost-growth-step", "loop", "{:.2f}",
        [f"row {row}, plain: runner / bare loop" for row in ("01", "08", "13")]),
    "with the enhanced recipe": (
        "loop-cost-growth-step", "loop", "{:.2f}",
        [f"row {row}, enhanced: runner / bare loop" for row in ("01", "08", "13")]),
    "augmentation costs": (
        "loop-cost-growth-step", "loop", "{:.2f}",
        [f"row {row}: augmentation costs, plain / enhanced" for row in ("01", "08", "13")]),
    "augmentation of held": ("all", "augmentation", "{:.2f}", ["augmentation: held / timm's"]),
    "`test_convnext`": ("all", "peer", "{:.2f}",
                        [f"test_convnext{each}: train.py / ours" for each in ("", "2")]),
    "`convnext_atto`": ("all", "peer", "{:.2f}", ["convnext_atto: train.py / ours"]),
    "fvcore / ours": ("loop-cost-growth-step", "cost", "{:.0f}",
                      ["fvcore / ours, calls", "fvcore / ours, processes"]),
    "costs of 34 rows, as": ("loop-cost-growth-step", "cost", "{:.2f}",
                             ["cost of 34 rows, a process"]),
    "nothing to do |": ("all", "commands", "{:.1f}", ["roadmap run, nothing to do"]),
    "their peak memory": ("all", "commands", "{:.0f}",
                    ["roadmap --help: peak memory", "roadmap run, nothing to do: peak memory"]),
    "of 1, 2, 4 rows": (
        "loop-cost-growth-step", "growth", "{:.1f}",
        [f"path of {rows} rows × {seeds} seeds" for rows, seeds in
         ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4))]),
    "two runs in turn": ("all", "jobs", "{:.2f}", ["two runs: in turn / side by side"]),
}  # fmt: skip


@pytest.mark.parametrize("line", BENCH)
def test_figures_of_speed_are_those_of_the_committed_benchmark(line):
    file, section, written, names = BENCH[line]
    saved = json.loads((ROOT / "results" / "bench" / f"{file}.json").read_text(encoding="utf-8"))
    medians = {each["name"]: each["median"] for each in saved["found"][section]}
    (row,) = [each for each in PERFORMANCE.splitlines() if each.startswith("|") and line in each]
    figures = row.split("|")[2]
    for name in names:
        assert re.search(rf"(?<![\d.]){re.escape(written.format(medians[name]))}(?!\d)", figures)
