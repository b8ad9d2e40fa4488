"""The paper's numbers stand next to runs on the data that they are about, and no others."""

import dataclasses

import pytest

from analysis.figures.gallery import drawings
from analysis.subject import Subject
from analysis.tables.render import render
from analysis.tables.table import tabulate
from roadmap.cli.main import main
from roadmap.record import write_record
from steps.studies.load import load_study


def subject(tiny, runs, **given):
    return Subject(roadmap=tiny, study=load_study("path"), records=runs, **given)


@pytest.fixture
def photos(tiny, invented):
    return [
        invented.record(tiny, row, seed, 70.0 + seed + 3 * int(row) ** 2 % 7, data="photos")
        for row in ("00", "01", "02", "03", "04")
        for seed in (0, 1)
    ]


def test_private_photos_do_not_stand_next_to_imagenet(tiny, photos):
    shown = subject(tiny, photos)
    assert "paper" not in render(shown.table, "md") and not shown.judged.agreements
    names = {
        one.name for name in ("roadmap", "effects", "trade-off") for one in drawings(name, shown)
    }
    assert names == {"roadmap", "effects", "trade-off"}


def test_they_do_if_it_is_asked_for(tiny, photos):
    shown = subject(tiny, photos, ask_paper=True)
    assert "paper's top-1 %" in render(shown.table, "md") and shown.judged.agreements
    assert "roadmap-beside-paper" in {one.name for one in drawings("roadmap", shown)}


def test_a_roadmaps_own_data_keep_them_and_so_does_a_program_that_reads_csv(tiny, invented, photos):
    own = tabulate(tiny, [invented.record(tiny, "01")])
    assert "paper's top-1 %" in render(own, "md")
    first = render(tabulate(tiny, photos), "csv").splitlines()[0]
    assert "paper_top1" in first and first == render(own, "csv").splitlines()[0]


def test_imagenet_is_known_by_its_classes_and_validation_images(resnet50, invented):
    run = invented.record(resnet50, "01", data="ILSVRC")
    size = {"classes": 1000, "train": 1_281_167, "val": 50_000}
    imagenet = dataclasses.replace(run, data=run.data | size)
    assert "paper's" in render(tabulate(resnet50, [imagenet]), "md")
    assert "paper's" not in render(tabulate(resnet50, [run]), "md")


def test_the_option(tmp_path, photos, capsys):
    for place, run in enumerate(photos):
        write_record(run, tmp_path / f"{place}.json")
    for given, shown in ([], False), (["--paper"], True):
        assert main(["table", "--runs", str(tmp_path), *given]) == 0
        assert ("paper" in capsys.readouterr().out) is shown
