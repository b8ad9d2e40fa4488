"""Tables of papers: a roadmap brings its own, from a CSV file next to it."""

import pytest

from analysis.tables.costs import cost_rows
from analysis.verdicts.paper import judge_paper
from roadmap.errors import Problem
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

MINE = 'base: {roadmap: tiny, row: "03"}\npaper: mine.csv\nrows:\n  - depthwise:\n'
TABLE = (
    "# paper: Someone, A paper, 2030\n# table: Table 3\n# image size: 48\n# classes: 20\n"
    "# unit: MFLOPs\n# macs per unit: 1e6\n"
    "row,step,top1,std,n,cost,A100 images/s\n"
    "00,patchify_stem,70.1,0.1,3,1.0,12\n01,depthwise,71.4,,1,,9\nvit,reference,72.0,,1,,\n"
)


def written(folder, table=TABLE, roadmap=MINE):
    (folder / "mine.yaml").write_text(roadmap)
    (folder / "mine.csv").write_text(table)
    return folder / "mine.yaml"


def test_a_users_roadmap_brings_its_own_table(tmp_path):
    path = load_roadmap(written(tmp_path))
    assert path.paper.source == "Someone, A paper, 2030, Table 3"
    assert path.paper.rows["00"].gflops == pytest.approx(1e-3)
    assert path.paper.rows["01"].others == {"A100 images/s": "9"}
    rows = cost_rows(path)
    assert [row["matches_paper"] for row in rows] == [False, None]
    study = load_study("path", roadmap=str(tmp_path / "mine.yaml"))
    judged = judge_paper(study, path.paper)
    assert judged.name == "paper-mine" and [each.difference for each in judged.verdicts] == [
        pytest.approx(1.3)
    ]
    assert any("rounded to one decimal" in note for note in judged.notes)


def test_a_table_without_spread_decides_nothing():
    study = load_study("path", roadmap="resnet200")
    notes = judge_paper(study, study.roadmap.paper).notes
    assert any("n = 1 decides no step" in note for note in notes)


def test_tables_are_of_one_roadmap_and_others_compare_with_it():
    assert load_roadmap("resnet50").paper_path is not None
    tiny = load_roadmap("tiny")
    assert tiny.paper_path is None and tiny.paper.roadmap == tiny.paper.name == "resnet50"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.replace("# table", "# tabel"), r"mine.csv:2: unknown key .*did you mean 'table'"),
        (TABLE.replace("# paper: Someone, A paper, 2030\n", ""), "key 'paper' is missing"),
        (TABLE.replace("top1", "top-1"), r"mine.csv:7: column 'top1' is missing"),
        (TABLE.replace("70.1", "seventy"), r"mine.csv:8: top1 must be a number, got 'seventy'"),
        (TABLE.replace("01,depth", "00,depth"), r"mine.csv:9: row '00' is given twice"),
        (TABLE.replace("71.4,", ""), r"mine.csv:9: the line has more or fewer fields"),
    ],
)
def test_what_is_wrong_in_a_table_is_said(tmp_path, table, message):
    with pytest.raises(Problem, match=message):
        load_roadmap(written(tmp_path, table))


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(Problem, match="mine.yaml:2: .*mine.csv: No such file"):
        path = written(tmp_path)
        (tmp_path / "mine.csv").unlink()
        load_roadmap(path)
    path = written(tmp_path, roadmap=MINE.replace("mine.csv", "resnet5"))
    with pytest.raises(Problem, match="table of a paper 'resnet5'; did you mean 'resnet50'"):
        load_roadmap(path)


FAMILY = (
    'base: {roadmap: tiny, row: "13"}\nfamily:\n'
    "  - name: small\n    title: the small one\n"
    "    steps: {network_size: {depths: [1, 1, 1, 1], width: 16}}\n"
    "  - name: bare\n    from: small\n    steps: {no_layer_scale: }\n"
    "  - name: as_is\n"
)


def test_a_family_is_rows_and_no_path(tmp_path):
    (tmp_path / "mine.yaml").write_text(FAMILY)
    family = load_roadmap(tmp_path / "mine.yaml")
    assert [(row.number, row.step, row.title) for row in family] == [
        ("00", "small", "the small one"),
        ("01", "bare", "bare"),
        ("02", "as_is", "as_is"),
    ]
    assert [row.before and row.before.number for row in family] == [None, "00", None]
    assert family["as_is"].spec == load_roadmap("tiny")["13"].spec
    study = load_study("path", roadmap=str(tmp_path / "mine.yaml"))
    assert [contrast.weights for contrast in study.contrasts] == [{"01": 1.0, "00": -1.0}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FAMILY.replace("from: small", "from: smal"), "mine.yaml:.*did you mean 'small'"),
        (FAMILY.replace("name: bare", "name: small"), "name 'small' is given twice"),
        (FAMILY.replace("title:", "titel:"), "unknown key of a family's row: 'titel'"),
        (FAMILY + "rows:\n  - gelu:\n", "only one of 'rows' and 'family'"),
        ('base: {roadmap: tiny, row: "13"}\nfamily: []\n', "at least one row"),
    ],
)
def test_what_is_wrong_in_a_family_is_said(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(Problem, match=message):
        load_roadmap(tmp_path / "mine.yaml")
