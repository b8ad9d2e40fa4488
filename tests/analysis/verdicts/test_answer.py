"""The answer in words: what helps, what probably helps, and what would settle it."""

import dataclasses
import shlex

import pytest

from analysis.subject import Subject
from analysis.verdicts.answer import Asked, answers, in_words
from roadmap.cli.main import main
from roadmap.record import write_record
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study


@pytest.fixture
def photos(tmp_path, invented):
    """A roadmap of one step, and a function that invents its runs on few photos."""
    (tmp_path / "mine.yaml").write_text('base: {roadmap: tiny, row: "05"}\nrows:\n  - gelu:\n')
    roadmap = load_roadmap(tmp_path / "mine.yaml")
    study = load_study("path", roadmap=str(tmp_path / "mine.yaml"))

    def made(*tops, val=2000):
        runs = [
            invented.record(roadmap, row, seed, top1, data="photos")
            for row, each in zip(("00", "01"), tops, strict=True)
            for seed, top1 in enumerate(each)
        ]
        runs = [dataclasses.replace(run, data=run.data | {"val": val}) for run in runs]
        return Subject(roadmap=roadmap, study=study, records=runs)

    return made


def told(subject, **asked):
    return answers(subject.judged, subject.study, subject.selection, Asked(**asked))


def test_probably_better_names_the_runs_that_would_settle_it_their_time_and_the_command(photos):
    (one,) = told(photos((80.0, 81.0, 80.5), (81.5, 82.5, 81.0)), given=("--data", "my photos"))
    assert one.text.startswith("ReLU → GELU: probably better (9")
    assert "of each (1 to " in one.text and "min one after the other" in one.text
    assert one.text.endswith("would probably settle it")
    words = shlex.split(one.command)
    assert words[:5] == ["roadmap", "run", "--rows", "00,01", "--seeds"]
    assert words[-2:] == ["--data", "my photos"] and int(words[5]) > 3


def test_one_run_of_each_is_no_evidence(photos):
    (one,) = told(photos((80.0,), (85.0,)))
    assert one.text == (
        "All differences: one run of each is no evidence. 2 more runs of each, about 4 min one "
        "after the other, would give a first verdict"
    )
    assert one.command == "roadmap run path --seeds 3"


def test_only_the_rows_that_lack_runs_are_asked_for(tiny, invented):
    runs = [invented.record(tiny, row) for row in ("00", "01")]
    subject = Subject(roadmap=tiny, study=load_study("path"), records=runs)
    first, missing = told(subject)
    assert first.command == "roadmap run --rows 00,01 --seeds 3"
    assert missing.text.startswith("Without runs: stage ratio, ")
    assert missing.command == "roadmap run path"


def test_few_validation_images_are_named_with_chance_and_what_one_network_is_known_to(photos):
    *_, last = told(photos((80.0, 81.0), (80.5, 82.0), val=81))
    assert last.text.startswith("Only 81 validation images: one network's accuracy is known to ±9")
    assert "chance is 2 %" in last.text and "One run is no evidence" in last.text


def test_decided_steps_come_first_and_collected_records_get_no_command(photos):
    first, *_ = told(photos((60.0, 60.1, 60.2), (80.0, 80.1, 80.3)))
    assert str(first) == "Better (in points): ReLU → GELU +20.0."
    (one,) = told(photos((80.0, 81.0, 80.5), (81.5, 82.5, 81.0)), can_run=False)
    assert not one.command and str(one).endswith("would probably settle it.")


def test_no_tendency_is_not_called_one(photos):
    (one,) = told(photos((80.0, 81.0, 82.0), (80.1, 81.0, 81.9)))
    assert one.text.startswith("These runs cannot tell: ReLU → GELU. Seeds are added while")
    assert one.command.startswith("roadmap run path --until-decided")
    (one,) = told(photos((80.0, 81.0, 82.0), (80.1, 81.0, 81.9)), can_run=False)
    assert str(one) == "These runs cannot tell: ReLU → GELU."


def test_interactions_are_not_better(invented):
    grid = load_study("micro-design")
    tops = {row.number: 60.0 + 10.0 * row.number.count("+") ** 2 for row in grid.roadmap}
    runs = [
        invented.record(grid.roadmap, number, seed, top1 + seed / 10)
        for number, top1 in tops.items()
        for seed in range(3)
    ]
    subject = Subject(roadmap=grid.roadmap, study=grid, records=runs)
    words = " ".join(map(str, told(subject, study="micro-design")))
    assert (
        "Worth more together (in points): " in words and "Better (in points): gelu ×" not in words
    )


def test_verdicts_begin_with_the_answer(tmp_path, photos, capsys):
    runs = tmp_path / "runs"
    for run in photos((80.0, 81.0, 80.5), (81.5, 82.5, 81.0)).records:
        (runs / run.identity.run).mkdir(parents=True)
        write_record(run, runs / run.identity.run / "record.json")
    given = ["--roadmap", str(tmp_path / "mine.yaml"), "--runs", str(runs)]
    assert main(["verdicts", *given]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ReLU → GELU: probably better (9")
    (command,) = [line for line in lines if line.startswith("  roadmap run --rows 00,01 --seeds ")]
    assert str(runs) in command
    assert main(["verdicts", *given, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("step,title,group,verdict")


@pytest.mark.parametrize(
    ("seconds", "words"), [(2, "1 min"), (720, "12 min"), (9000, "2 h"), (400_000, "5 days")]
)
def test_durations(seconds, words):
    assert in_words(seconds) == words
