"""Which records count for a row, and what is said about the others."""

from dataclasses import replace

import pytest

from analysis.selection import named, select
from analysis.tables.table import tabulate
from analysis.tables.terminal import terminal
from roadmap.cost import cost
from roadmap.edit import edit_units, is_spatial
from roadmap.errors import Problem
from roadmap.record import Record
from roadmap.spec import Reference, Spec, to_dict
from steps.studies.load import load_study


def row_of(table, number):
    return next(row for row in table.rows if row.row == number)


def test_every_row_in_order_then_references(tiny, invented):
    table = tabulate(tiny, [*invented.study(tiny), invented.reference(tiny)])
    assert [row.row for row in table.rows] == [row.number for row in tiny] + ["timm:swin_tiny"]
    assert table.rows[-1].gmacs == 0.36
    assert table.rows[-1].group == "reference" and table.rows[-1].change is None
    assert [row.row for row in table.rows if row.branch] == ["08-k5", "08-k9", "08-k11"]
    assert table.notes == () and table.data == "fractals"


def test_mean_sample_deviation_and_change(tiny, invented):
    table = tabulate(tiny, invented.study(tiny))
    row = row_of(table, "05")
    assert (row.n, row.mean, row.std) == (3, pytest.approx(58.3), pytest.approx(1.6))
    assert row.change == pytest.approx(58.3 - 51.6)
    assert row_of(table, "08-k5").change == pytest.approx(61.0 - 57.7)  # from row 07, not 08
    assert row_of(table, "09").change == pytest.approx(65.5 - 63.9)  # from row 08, not 08-k11
    assert row_of(table, "00").change is None


def test_no_records_at_all(tiny):
    table = tabulate(tiny, [])
    assert len(table.rows) == 17 and table.notes == ()
    assert all(
        row.mean is row.std is row.change is row.images_per_second is None and row.n == 0
        for row in table.rows
    )


def test_a_missing_row_leaves_its_change_and_the_next_ones_open(tiny, invented):
    table = tabulate(tiny, invented.study(tiny, without=("04",)))
    assert row_of(table, "04").mean is None
    assert row_of(table, "05").mean is not None and row_of(table, "05").change is None


def test_one_seed_has_no_spread(tiny, invented):
    table = tabulate(tiny, invented.study(tiny, seeds=1))
    assert {row.std for row in table.rows} == {None} and {row.n for row in table.rows} == {1}


def test_unequal_numbers_of_seeds(tiny, invented):
    more = invented.record(tiny, "05", seed=7, top1=60.0)
    table = tabulate(tiny, [*invented.study(tiny), more])
    assert (row_of(table, "05").n, row_of(table, "06").n) == (4, 3)


def test_diverged_runs_are_counted_not_averaged(tiny, invented):
    runs = [
        invented.record(tiny, "05", 0, 58.0),
        invented.record(tiny, "05", 1, 2.5, status="diverged"),
        invented.record(tiny, "06", 0, None, status="diverged"),
    ]
    table = tabulate(tiny, runs)
    five, six = row_of(table, "05"), row_of(table, "06")
    assert (five.mean, five.n, five.diverged) == (58.0, 1, 1)
    assert (six.mean, six.n, six.diverged, six.images_per_second) == (None, 0, 1, None)


def test_another_recipe_is_left_out_and_named(tiny, invented):
    short = tiny.overridden({"recipe.epochs": 3})
    runs = [
        invented.record(tiny, "05"),
        invented.record(short, "05", 1, 11.0),
        invented.record(short, "06", 0, 12.0),
    ]
    table = tabulate(tiny, runs)
    assert row_of(table, "05").n == 1 and row_of(table, "06").n == 0
    assert table.notes == (
        "left out: 2 records with another recipe than this roadmap's: 05 (1), 06 (1)",
    )
    assert row_of(tabulate(short, runs), "06").mean == 12.0


def test_another_network_and_an_unknown_row_are_left_out(tiny, invented):
    other = edit_units(tiny["05"].spec, is_spatial, kernel=5)
    runs = [
        invented.record(tiny, "05", spec=other),
        invented.record(tiny, "05", spec=other, seed=1, label_row="99"),
    ]
    notes = " ".join(tabulate(tiny, runs).notes)
    assert "another network than this roadmap's: 05 (1)" in notes
    assert "rows that this roadmap does not have: 99 (1)" in notes


def test_a_run_belongs_to_the_rows_whose_spec_it_has_whatever_it_was_started_as(tiny, invented):
    run = invented.record(tiny, "05", spec=tiny["06"].spec, top1=70.0)
    rows = {row.row: row for row in tabulate(tiny, [run]).rows}
    assert (rows["05"].n, rows["06"].n, rows["06"].mean) == (0, 1, 70.0)


def test_a_run_counts_once(tiny, invented):
    table = tabulate(tiny, [invented.record(tiny, "05"), invented.record(tiny, "05")])
    assert row_of(table, "05").n == 1 and "left out: 1 record" in table.notes[0]


def test_records_of_another_roadmap_do_not_matter_but_where_there_are_no_others(
    tiny, resnet50, invented
):
    others, own = [invented.record(resnet50, "05", data="imagenet")], invented.record(tiny, "05")
    assert tabulate(tiny, [own, *others]) == tabulate(tiny, [own])
    table = tabulate(tiny, others)
    assert table.rows == tabulate(tiny, []).rows
    assert table.notes == ("left out: 1 record of other roadmaps or studies: resnet50",)


def test_records_of_another_task_are_named_with_the_option_that_shows_them(tiny, invented):
    detection = invented.for_task(tiny, "detection")
    shown = "left out: 1 record of other roadmaps or studies: {} (--task {})"
    notes = tabulate(detection, [invented.record(tiny, "05")]).notes
    recipe = "the recipe is that of the task in all rows, so the row differs from 00 by drop path"
    assert notes[0] == shown.format("tiny", "classification")
    assert notes[1:] == (f"01 enhanced training recipe: {recipe} 0.05",)
    notes = tabulate(tiny, [invented.task_record(detection, "05", 0, 20.0)]).notes
    assert notes == (shown.format("tiny:detection", "detection"),)


def test_training_images_left_out_of_all_runs_are_counted(tiny, invented):
    runs = [invented.record(tiny, row) for row in ("05", "06")]
    runs = [replace(run, data=run.data | {"skipped": 3}) for run in runs]
    (note,) = tabulate(tiny, runs).notes
    assert note == "without 3 training images that cannot be opened (--broken skip)"


def test_the_roadmaps_own_data_set_is_preferred(tiny, invented):
    runs = [
        invented.record(tiny, "05", top1=60.0),
        invented.record(tiny, "05", top1=70.0, data="images", version="d2"),
    ]
    table = tabulate(tiny, runs)
    assert table.data == "fractals" and row_of(table, "05").mean == 60.0
    assert table.notes == ("left out: 1 record on data set 'images'",)
    assert row_of(tabulate(tiny, runs, data="images"), "05").mean == 70.0


def test_several_data_sets_and_none_asked_for(resnet50, invented):
    runs = [invented.record(resnet50, "05", data=name, version=name) for name in ("cats", "dogs")]
    with pytest.raises(Problem, match="cats, dogs"):
        tabulate(resnet50, runs)
    with pytest.raises(Problem, match="no runs on .* 'dog'; there are runs on: cats, dogs"):
        tabulate(resnet50, runs, data="dog")
    assert tabulate(resnet50, runs, data="dogs").data == "dogs"
    assert tabulate(resnet50, runs[:1]).data == "cats"


def test_two_versions_of_the_data_are_never_mixed(tiny, invented):
    old = [invented.record(tiny, "05", seed, 50.0, version="old") for seed in range(2)]
    new = [invented.record(tiny, "05", seed, 60.0, version="new") for seed in range(3)]
    table = tabulate(tiny, [*old, *new])
    assert (row_of(table, "05").n, row_of(table, "05").mean) == (3, 60.0)
    assert table.notes == ("left out: 2 records on another version of the data (old, not new)",)
    assert row_of(tabulate(tiny, [*old, *new], data="old"), "05").mean == 50.0


def test_classes_come_from_the_records(tiny, invented):
    ten = tiny.with_classes(10)
    table = tabulate(tiny, [invented.record(ten, "05", data="images")])
    assert row_of(table, "05").n == 1
    assert table.notes == ("'images' is the only data set with runs; the roadmap's is 'fractals'",)
    assert "48 pixels, 10 classes" in table.legend
    assert row_of(table, "06").params == cost(ten["06"].spec.network, 64).params


def test_a_roadmaps_folder_of_images_is_known_by_its_last_name(tiny, invented, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    (tmp_path / "photos.tar").touch()
    photos = [invented.record(tiny, "05", data="photos")]
    for name in ("photos", "link", "photos.tar"):
        mine = replace(tiny, data=str(tmp_path / name))
        assert tabulate(mine, photos).notes == ()
        cats = invented.record(tiny, "05", data="cats")
        assert row_of(tabulate(mine, [*photos, cats]), "05").n == 1
    other = replace(tiny, data=str(tmp_path / "dogs"))
    assert "'photos' is the only data set with runs" in tabulate(other, photos).notes[0]


def test_mixtures_get_a_note(tiny, invented):
    runs = [
        invented.record(tiny, "05"),
        invented.record(tiny, "05", 1, torch="2.10.0"),
        invented.record(tiny, "05", 2, threads=8, hardware="a GPU"),
    ]
    assert tabulate(tiny, runs).notes == (
        "the runs differ in hardware: two cores in 2 runs, a GPU in 1 run (05)",
        "the runs differ in threads: 2 in 2 runs, 8 in 1 run (05)",
        "the runs differ in versions of torch: 2.9.1 in 2 runs, 2.10.0 in 1 run (05)",
    )


def test_references_need_the_last_rows_recipe(tiny, invented):
    foreign = invented.reference(tiny, recipe=tiny["00"].spec.recipe)
    assert [row.group for row in tabulate(tiny, [foreign]).rows].count("reference") == 0
    assert "another recipe than the last row's" in tabulate(tiny, [foreign]).notes[0]
    both = [invented.reference(tiny, seed=seed, top1=90.0 + seed) for seed in range(2)]
    assert tabulate(tiny, both).rows[-1].n == 2


def test_the_papers_numbers_where_row_and_step_agree(tiny, resnet50):
    row = row_of(tabulate(tiny, []), "05")
    assert (row.paper_mean, row.paper_std, row.paper_gflops) == (80.5, 0.02, 5.27)
    last = row_of(tabulate(resnet50, []), "13")
    assert (last.params, round(last.gmacs, 4), last.paper_gflops) == (28_589_128, 4.4555, 4.49)


def test_names_of_collected_records_cannot_collide(tiny, invented):
    def variant(drop_path):
        last = tiny.rows[-1].spec
        network = Reference(timm="vit_tiny", classes=40, drop_path=drop_path)
        asked = invented.reference(tiny, "vit_tiny")
        spec = Spec(network=network, recipe=last.recipe)
        identity = replace(asked.identity, spec=spec.fingerprint)
        return replace(asked, identity=identity, spec=to_dict(spec))

    runs = [invented.record(tiny, "05"), variant(0.0), variant(0.1)]
    names = named(tiny, select(tiny, runs))
    assert len(names) == 3 and next(iter(names)) == "05-width-seed0"
    assert all(name.startswith("timm-vit_tiny-") for name in list(names)[1:])


def test_names_of_collected_references_are_plain_file_names(tiny, invented):
    runs = [invented.reference(tiny, name) for name in ("hf_hub:timm/a.b", "../../x")]
    names = list(named(tiny, select(tiny, runs)))
    assert names == ["timm-..-..-x-reference-seed0", "timm-hf_hub-timm-a.b-reference-seed0"]


def test_variants_of_a_study_are_collected_under_their_own_names(tiny, invented):
    study = load_study("leave-one-out").roadmap
    runs = [invented.record(study, "without-gelu"), invented.record(tiny, "12"),
            invented.record(tiny, "13"), invented.record(tiny, "05")]  # fmt: skip
    names = list(named(study, select(study, runs)))
    assert names == [
        "13-separate_downsampling-seed0",
        "without-gelu-seed0",
        "without-separate_downsampling-seed0",
    ]


def test_left_out_runs_are_named_with_the_way_to_see_them(tiny, invented):
    runs = [invented.record(tiny, "05"), invented.record(tiny, "05", data="images")]
    assert "--data and --set" in terminal(tabulate(tiny, runs), colour=False)
    assert "--data and --set" not in terminal(tabulate(tiny, runs[:1]), colour=False)


def test_selecting_compares_no_runs_with_each_other(tiny, invented, monkeypatch):
    """Comparing every pair took 11 of 13 seconds for 2,000 records."""
    runs = [*invented.study(tiny), *(invented.record(tiny, "05", seed) for seed in range(10, 300))]
    runs += [invented.record(tiny, "05", seed, data="other") for seed in range(100)]
    monkeypatch.setattr(Record, "__eq__", lambda *_: pytest.fail("two records were compared"))
    selection = select(tiny, runs)
    assert len(selection.rows["05"]) == 3 + 290
    assert len(named(tiny, selection)) == len(selection.runs)


def test_runs_of_another_roadmap_of_that_name_do_not_change_the_classes(tiny, invented):
    """Two files called mine.yaml: the records of one are in the folder of the other."""
    longer = tiny.overridden({"recipe.epochs": 7}).with_classes(40)
    chosen = select(tiny, [invented.record(longer, "05")])
    assert not chosen.rows and chosen.roadmap["05"].spec.network.classes == 20
    own = invented.record(tiny.with_classes(40), "05")
    assert select(tiny, [own]).roadmap["05"].spec.network.classes == 40
