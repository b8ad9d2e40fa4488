"""The command line as a user meets it: a process, its output, its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import run

ROOT = Path(__file__).parents[3]
OBJECT = (
    "row step title group macs gmacs params activations paper_gflops paper_top1 matches_paper note"
)


def roadmap(*arguments, cwd=ROOT, **environment):
    """Call the program in a copy of a process that has imported all but torch."""
    return run(*arguments, cwd=cwd, environment={"COLUMNS": "80", **environment})


def afresh(*arguments, cwd=ROOT, **environment):
    """Start Python for the call: it reads some variables before all else."""
    return subprocess.run(
        [sys.executable, "-m", "roadmap", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **environment},
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--help"], ["cost", "--help"], ["cost"], ["show", "05"], ["table"]]
)
def test_answers_without_torch(arguments):
    code = (
        "import sys\n"
        "from roadmap.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'torch', 'timm', 'pytorch_lightning'} & set(sys.modules)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout


@pytest.mark.parametrize("name", ["resnet50", "resnet200", "tiny"])
def test_cost_as_json(name):
    rows = json.loads(roadmap("cost", "--roadmap", name, "--json").stdout)
    assert len(rows) == 17
    assert all(list(row) == OBJECT.split() for row in rows)
    by_row = {row["row"]: row for row in rows}
    if name == "tiny":
        assert by_row["13"]["matches_paper"] is None
        return
    differing = [row["row"] for row in rows if row["matches_paper"] is not True]
    assert differing == (["12", "13"] if name == "resnet50" else [])
    if name == "resnet50":
        assert by_row["13"]["params"] == 28_589_128
        assert by_row["13"]["activations"] == 13_435_624
        assert by_row["13"]["paper_top1"] == 81.97
        assert "4.49" in by_row["13"]["note"]
        assert by_row["05"]["step"] == "width"
        assert by_row["05"]["group"] == "ResNeXt"
        assert by_row["08-k9"]["macs"] / 1e9 == by_row["08-k9"]["gmacs"]


def test_cost_at_another_size():
    options = ("--roadmap", "resnet50", "--json", "--image-size", "64", "--classes", "10")
    rows = {row["row"]: row for row in json.loads(roadmap("cost", *options).stdout)}
    assert rows["00"]["params"] == 25_557_032 - 990 * 2049
    assert rows["13"]["matches_paper"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["cost"],
        ["cost", "--roadmap", "resnet200"],
        ["table"],
        ["show", "08"],
        ["show", "00"],
        ["list"],
        ["cost", "--roadmap", "robust-cnn"],
        ["verdicts", "paper"],
    ],
)
def test_output_fits_80_columns(arguments):
    found = roadmap(*arguments)
    assert found.returncode == 0, found.stderr
    assert max(map(len, found.stdout.splitlines())) <= 80


def test_show_explains_a_row():
    text = roadmap("show", "05", "--roadmap", "resnet50").stdout
    assert "Set the width of the first stage" in text
    assert "80.50 %" in text and "+2.22" in text and "5.27 GFLOPs" in text
    assert "- widths: 64, 128, 256, 512\n+ widths: 96, 192, 384, 768" in text
    assert "33,760,936" in text


def folder(root, train, val):
    from PIL import Image

    for split, classes in (("train", train), ("val", val)):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(root / split / name / "1.png")
    return root


BAD = [
    (["train", "5x"], "unknown row of roadmap 'tiny': '5x'"),
    (["train", "widht"], "did you mean"),
    (["show", "99"], "valid: 00, 01"),
    (["run", "--rows", "00,77"], "'77'"),
    (["cost", "--roadmap", "resnet5"], "unknown roadmap 'resnet5'; did you mean 'resnet50'"),
    (["cost", "--roadmap", "none.yaml"], "none.yaml: No such file"),
    (["train", "05", "--seed", "-1"], "'-1' is not a whole number"),
    (["train", "05", "--set", "recipe.epochs"], "must be KEY=VALUE"),
    (["train", "05", "--set", "recipe.epochs=many"], "recipe.epochs"),
    (["train", "05", "--set", "recipe.epochs=-3"], "greater than or equal to 1, got -3"),
    (["train", "05", "--set", "recipe.epoch=3"], "did you mean 'epochs'"),
    (["train", "05", "--set", "recipe.optimizer=lambchop"], "'lambchop'; did you mean 'lambc'"),
    (["train", "05", "--data", "nowhere"], "data nowhere does not exist; valid: 'fractals'"),
    (["train", "05", "--data", "."], "has no train/"),
    (["train", "05", "--roadmap", "resnet50"], "give --data"),
    (["train", "05", "--steps", "none.py"], "steps file none.py does not exist"),
    (["table", "--format", "word"], "unknown format 'word'"),
    (["table", "--runs", "nowhere"], "nowhere does not exist"),
    (["train", ""], "unknown row of roadmap 'tiny': ''"),
    (["run", "--rows", "05,"], "unknown row of roadmap 'tiny': ''"),
    (["run", "--rows", "05,05"], "names a row twice"),
    (["run", "--rows", "05", "--branches"], "give one of the two"),
    (["run", "--seeds", "0"], "'0' is not a whole number of 1 or more"),
    (["train", "05", "--seed", "9" * 30], "is more than the maximum, 2,147,483,647"),
    (["cost", "--image-size", "100000000000"], "is more than the maximum, 2,147,483,647"),
    (["run", "--seeds", "2147483648"], "is more than the maximum, 2,147,483,647"),
    (["train", "05", "--data", ""], "has no train/"),
    (["train", "05", "--set", "recipe.epochs=3", "--set", "recipe.epochs=4"], "given twice"),
    (["train", "05", "--set", "recipe.epochs=true"], "recipe.epochs: input should be a valid int"),
    (["train", "05", "--set", "recipe.epochs={[1]: 2}"], "not readable as a value"),
    (["train", "05", "--set", "recipe.image_size=3"], "row 03 (patchify_stem): stem.convolution"),
    (["train", "05", "--set", "recipe.randaugment=foo"], "recipe.randaugment"),
    (
        ["train", "05", "--set", "recipe.betas=[1, 1]"],
        "recipe.betas: 0: input should be less than 1",
    ),
    (["train", "05", "--set", "recipe.batch=7"], "batch 7 must be even for mixup and cutmix"),
    (["train", "05", "--set", "recipe.batch=1"], "recipe.batch"),
    (["train", "05", "--set", "recipe.batch=8192"], "larger than the 5000 training images"),
    (["train", "05", "--set", "network.classes=7"], "network.classes comes from the data"),
    (["train", "05", "--set", "network.stages=3"], "is not one value"),
    (["train", "13", "--set", "recipe.momentum=0.8"], "momentum has no effect here"),
    (["show", "05", "--set", "network.downsampling.kernel=3"], "network.downsampling is null"),
    (
        ["train", "timm:convnext_atto", "--set", "network.stages.all.depth=1"],
        "timm defines the net",
    ),
    (["fly"], "invalid choice: 'fly'"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(bad[0]) for bad in BAD])
def test_bad_input_is_one_message_and_exit_code_2(arguments, message, tmp_path):
    found = run(*arguments, cwd=tmp_path, without_torch=True)
    assert found.returncode == 2, found.stderr
    assert message in found.stderr
    assert (
        len([line for line in found.stderr.splitlines() if not line.startswith(("usage", " "))])
        == 1
    )
    assert not found.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_files_in_the_wrong_place(tmp_path):
    (tmp_path / "file").touch()
    for arguments in (
        ["train", "05", "--runs", "file"],
        ["plot", "--out", "file"],
        ["collect", "--runs", str(ROOT / "results" / "tiny"), "--out", "file"],
    ):
        found = roadmap(*arguments, cwd=tmp_path)
        assert found.returncode == 2, arguments
        assert "file" in found.stderr and "Traceback" not in found.stderr


@pytest.mark.slow
def test_a_model_that_timm_does_not_have_is_named_before_anything_is_trained(tmp_path):
    found = roadmap("run", "--rows", "00,timm:no_such_model", cwd=tmp_path)
    assert found.returncode == 2
    assert "timm has no model 'no_such_model'" in found.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_timm_model_that_cannot_be_a_backbone_is_named_before_images_are_drawn(tmp_path):
    found = roadmap("train", "timm:vit_tiny_patch16_224", "--task", "segmentation", cwd=tmp_path)
    assert found.returncode == 2
    assert "timm:vit_tiny_patch16_224 lacks a pyramid" in found.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_data_folders_that_do_not_fit(tmp_path):
    (tmp_path / "a" / "train" / "cat").mkdir(parents=True)
    found = roadmap("train", "05", "--data", "a", cwd=tmp_path)
    assert found.returncode == 2 and "has no val/" in found.stderr
    folder(tmp_path / "b", ["cat", "dog"], ["cat", "cow"])
    found = roadmap("train", "05", "--data", "b", cwd=tmp_path)
    assert found.returncode == 2
    assert "class folder b/train/dog has no counterpart in b/val; val has: cat, cow" in found.stderr
    assert not (tmp_path / "runs").exists()


BASE = "base: {depths: [1, 1], width: 8}\nrecipe: tiny-old\n"
BROKEN = [
    ("", "a mapping (key: value) is expected"),
    ("? [a, b]\n: 1\n", "mine.yaml:1: a key must be one word"),
    ("rows: &x [*x]\n", "mine.yaml:1: a value contains itself"),
    ("base: {roadmap: mine.yaml}\nrows: []\n", "starts from itself"),
    (f"{BASE}title: 5\nrows: []\n", "mine.yaml:3: title must be text, got 5"),
    (f"{BASE}classes: x\nrows: []\n", "mine.yaml:3: classes: "),
    (f"{BASE}rows: 5\n", "mine.yaml:3: rows must be a list of steps"),
    (
        f"{BASE}rows:\n  - patchify_stem: {{patch: 0}}\n",
        "mine.yaml:4: row 01: step 'patchify_stem'",
    ),
    (f"{BASE}rows:\n  - kernel_size: {{kernel: '7'}}\n", "mine.yaml:4: row 01: parameter 'kernel'"),
    (
        f"{BASE}rows:\n  - kernel_size: 7\n",
        "mine.yaml:4: row 01: the parameters of step 'kernel_size'",
    ),
    (
        f"{BASE}rows:\n  - gelu:\n    branches: {{'a/b': {{gelu: }}}}\n",
        "branch 'a/b' must be named",
    ),
    ("base: {depths: [0, 1], width: 8}\nrecipe: tiny-old\nrows: []\n", "mine.yaml:1: base: depth"),
    ("base: {depths: [1], width: 8}\nrecipe: 5\nrows: []\n", "mine.yaml:2: recipe: "),
    ("base: {roadmap: tiny, row: 5, width: 9}\nrows: []\n", "unknown key of base: 'width'"),
    ("base: {roadmap: tiny}\nrecipe: tiny-old\nrows: []\n", "mine.yaml:2: key 'recipe' has no use"),
    ("base: {depths: [1, 1], width: 8\n", "mine.yaml:2"),
    ("title: x\ntitle: y\n", "mine.yaml:2: key 'title' is given twice"),
    ("title: x\nrows: []\n", "key 'base' is missing"),
    ("bass: 3\n", "mine.yaml:1: unknown key 'bass'; did you mean 'base'"),
    ("- 1\n", "a mapping (key: value) is expected"),
    ("base: {depths: [1, 1], width: wide}\nrecipe: tiny-old\nrows: []\n", "parameter 'width'"),
    ("base: {depths: [1, 1], width: 8}\nrecipe: tiny-odl\nrows: []\n", "did you mean 'tiny-old'"),
    (
        "base: {depths: [1, 1], width: 8}\nrecipe: tiny-old\nrows:\n  - gelu:\n  - depthwize:\n",
        "mine.yaml:5: unknown step 'depthwize'; did you mean 'depthwise'",
    ),
    (
        "base: {depths: [1, 1], width: 8}\nrecipe: tiny-old\nrows:\n  - kernel_size: {kernal: 7}\n",
        "mine.yaml:4: row 01: unknown parameter of step 'kernel_size': 'kernal'; did you mean 'ker",
    ),
    (
        "base: {depths: [1, 1], width: 8}\nrecipe: tiny-old\nrows:\n  - move_up_depthwise:\n",
        "mine.yaml:4: row 01: step 'move_up_depthwise' needs a depthwise convolution",
    ),
    (
        "base: {depths: [1, 1], width: 8}\nrecipe: tiny-old\nrows:\n  - kernel_size: {kernel: 7.5}",
        "mine.yaml:4: row 01: parameter 'kernel' of step 'kernel_size'",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[bad[1] for bad in BROKEN])
def test_broken_yaml_names_line_and_key(text, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    found = roadmap("cost", "--roadmap", "mine.yaml", cwd=tmp_path)
    assert found.returncode == 2, found.stdout
    assert message in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "fails: SyntaxError"),
        ("import sys\nsys.exit(3)\n", "fails: SystemExit: 3"),
        ("x = 3\n", "has no function whose first parameter is 'spec'"),
        ("def gelu(spec):\n    return spec\n", "'gelu' is a shipped step"),
        ("def own(spec):\n    return None\n", "step 'own' must return a Spec, not NoneType"),
        ("def own(spec):\n    return spec.nothing\n", "step 'own' fails: AttributeError"),
        ("def own(spec, x):\n    return spec\n", "step 'own' needs the parameter 'x'"),
        ("def own(spec, x: Nothing = 1):\n    return spec\n", "fails: NameError"),
        (
            "from roadmap.edit import insert_after, is_spatial\n"
            "from roadmap.spec import Operation\n"
            "def own(spec):\n"
            "    made = Operation(operation='op', build=print, cost=lambda *_: {'macs': 1})\n"
            "    return insert_after(spec, is_spatial, made)\n",
            "row 01 (own): the cost of operation 'op' is {'macs': 1}",
        ),
    ],
)
def test_broken_steps_files_are_named(text, message, tmp_path):
    (tmp_path / "own.py").write_text(text)
    (tmp_path / "mine.yaml").write_text(f"{BASE}rows:\n  - own:\n")
    found = roadmap("cost", "--roadmap", "mine.yaml", "--steps", "own.py", cwd=tmp_path)
    assert found.returncode == 2, found.stderr
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_steps_file_may_use_dataclasses_and_parameters_without_annotations(tmp_path):
    (tmp_path / "own.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Some:\n    x: int = 1\n"
        "def own(spec, x):\n    return spec\n"
    )
    (tmp_path / "mine.yaml").write_text(f"{BASE}rows:\n  - own: {{x: 3}}\n")
    found = roadmap("cost", "--roadmap", "mine.yaml", "--steps", "own.py", cwd=tmp_path)
    assert found.returncode == 0, found.stderr


def test_exponents_are_numbers(tmp_path):
    from roadmap.strict_yaml import read

    (tmp_path / "a.yaml").write_text("a: 1e-3\nb: 4E5\nc: -.5e+1\nd: e3\n")
    assert read(tmp_path / "a.yaml").data == {"a": 1e-3, "b": 4e5, "c": -5.0, "d": "e3"}


STEPS = '''
from roadmap.edit import insert_after, is_spatial
from roadmap.spec import Operation


def squeeze_excitation(spec, ratio: int = 4):
    """Weigh channels by their mean (Hu et al., 2018)."""
    operation = Operation(
        operation="squeeze_excitation", parameters={"ratio": ratio}, build=build, cost=cost
    )
    return insert_after(spec, is_spatial, operation)


def build(channels, ratio):
    from timm.layers import SqueezeExcite

    return SqueezeExcite(channels, rd_channels=channels // ratio)


def cost(channels, height, width, ratio):
    hidden = channels // ratio
    macs = 2 * channels * hidden
    return {"macs": macs, "params": macs + channels + hidden, "activations": channels + hidden}
'''
ROADMAP = """
title: mine
base: {roadmap: tiny, row: "05"}
rows:
  - squeeze_excitation: {ratio: 2}
  - gelu:
"""


def test_a_roadmap_a_step_and_an_operation_of_ones_own(tmp_path):
    (tmp_path / "steps.py").write_text(STEPS)
    (tmp_path / "mine.yaml").write_text(ROADMAP)
    options = ("--roadmap", "mine.yaml", "--steps", "steps.py")
    found = roadmap("cost", *options, "--json", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    rows = json.loads(found.stdout)
    assert [row["step"] for row in rows] == ["width", "squeeze_excitation", "gelu"]
    from roadmap.cost import cost
    from roadmap.network import build
    from steps.roadmaps.load import load_roadmap

    path = load_roadmap(tmp_path / "mine.yaml", steps=tmp_path / "steps.py")
    network = build(path["01"].spec.network)
    walked = cost(path["01"].spec.network, 48)
    assert walked.params == sum(each.numel() for each in network.parameters())
    assert walked.macs == rows[1]["macs"] > rows[0]["macs"]
    changed = STEPS.replace("hidden = channels // ratio", "hidden = channels // ratio + 0")
    (tmp_path / "steps.py").write_text(changed)
    other = load_roadmap(tmp_path / "mine.yaml", steps=tmp_path / "steps.py")
    assert other["01"].spec.fingerprint != path["01"].spec.fingerprint
    without = roadmap("cost", "--roadmap", "mine.yaml", cwd=tmp_path)
    assert without.returncode == 2
    assert "mine.yaml:5: unknown step 'squeeze_excitation'" in without.stderr


@pytest.mark.slow
def test_a_terminal_that_has_ascii_alone_shows_the_rest():
    for arguments in (["show", "13"], ["cost"], ["verdicts", "paper"]):
        found = afresh(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert found.returncode == 0 and "?" in found.stdout, found.stderr


def test_options_are_not_guessed():
    found = roadmap("run", "--seed", "3")
    assert found.returncode == 2 and "unrecognized arguments: --seed" in found.stderr


def test_values_are_shown_as_they_are_set():
    shown = roadmap("show", "00").stdout
    line = next(each for each in shown.splitlines() if "crop_scale" in each)
    name, _, text = line.strip().partition(": ")
    again = roadmap("show", "00", "--set", f"{name}={text}")
    assert again.stdout == shown


def test_a_step_that_changes_nothing_says_so(tmp_path):
    (tmp_path / "twice.yaml").write_text("base: {roadmap: tiny, row: '13'}\nrows:\n  - gelu:\n")
    found = roadmap("show", "01", "--roadmap", "twice.yaml", cwd=tmp_path)
    assert "nothing: what the step would change" in found.stdout, found.stderr


@pytest.mark.slow
def test_what_is_left_out_of_figures_and_collections_is_said(tmp_path):
    other = ("--runs", str(ROOT / "results/tiny"), "--set", "recipe.epochs=3", "--out")
    drawn = roadmap("plot", "roadmap", *other, str(tmp_path / "figures"))
    assert "left out: 51 records with another recipe" in drawn.stderr
    found = roadmap("collect", *other, str(tmp_path / "records"))
    assert found.returncode == 2 and "left out: 51 records" in found.stderr
    assert "fits roadmap 'tiny' as it is set here" in found.stderr


def test_alone_it_shows_the_menu():
    found = roadmap()
    assert found.returncode == 0 and not found.stderr
    assert all(command in found.stdout for command in ("cost", "train", "check-data", "collect"))


@pytest.mark.parametrize("command", ["train", "run", "table", "plot", "export", "collect"])
def test_every_option_is_explained(command):
    lines = roadmap(command, "--help").stdout.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  -") and len(line.split("  ")) < 3:  # its text is on the next line
            assert lines[number + 1].startswith("          "), line
    assert max(map(len, lines)) <= 80


@pytest.mark.slow
def test_export_says_how_to_train_and_which_rows_timm_has(tmp_path):
    found = roadmap("export", "05", "--out", str(tmp_path), cwd=tmp_path)
    assert found.returncode == 2 and "is a folder; give a file" in found.stderr
    found = roadmap("export", "13", "--out", "x", cwd=tmp_path)
    assert found.returncode == 2 and "`roadmap train 13`" in found.stderr


def test_a_plan_says_that_collected_records_are_no_runs():
    found = roadmap("plan", "path", "--runs", "results/tiny")
    assert found.returncode == 0
    assert "85 of these have collected records below results/tiny/" in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["table", "verdicts"])
@pytest.mark.parametrize("format", ["csv", "json"])
def test_notes_stand_beside_data_that_has_no_place_for_them(command, format):
    found = roadmap(command, "--runs", "results/tiny", "--format", format)
    assert found.returncode == 0 and "commit" not in found.stdout.splitlines()[-1]
    assert "roadmap: the runs differ in commit" in found.stderr
    assert "differ in commit" not in roadmap(command, "--runs", "results/tiny").stderr


@pytest.mark.slow
def test_json_of_other_programs_beside_records_is_passed_over():
    """The benchmark's files lie among our results."""
    found = roadmap("table", "--runs", "results")
    assert found.returncode == 0 and "bench" not in found.stderr


def test_a_plan_needs_no_data_and_says_how_to_know_the_time(tmp_path):
    found = roadmap("plan", "--roadmap", "resnet50", "--images", "1281167", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    text = " ".join(found.stdout.split())
    assert "runs 85, of which 0 are finished" in text and "--measure trains 20 steps" in text
    both = roadmap("plan", "--images", "10", "--data", str(tmp_path), cwd=tmp_path)
    assert both.returncode == 2 and "leave out --data" in both.stderr


@pytest.mark.parametrize("command", [["train", "13"], ["run"]])
def test_an_unknown_tracker_is_refused_at_once(command, tmp_path):
    found = roadmap(*command, "--log", "csv,tensorbord", cwd=tmp_path)
    assert found.returncode == 2 and not list(tmp_path.iterdir())
    assert "unknown tracker 'tensorbord'; did you mean 'tensorboard'?" in found.stderr
