"""What options do: measures, the version, the commands that a report recommends."""

import dataclasses
import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import roadmap
from roadmap.cli.main import main
from roadmap.cli.options import make_parser
from roadmap.cli.report import report
from roadmap.cli.workspace import Workspace
from roadmap.record import read_record, write_record

ROOT = Path(__file__).parents[3]
RECORDS = str(ROOT / "results" / "tiny")


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"roadmap {roadmap.__version__}\n"


def test_help_loads_nothing_but_the_standard_library():
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom roadmap.cli.main import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "print({name.split('.')[0] for name in set(sys.modules) - before}\n"
        "      - {'roadmap'} - sys.stdlib_module_names, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "set()\n" and "--until-decided" in done.stdout


@pytest.mark.parametrize("columns", range(60, 100, 3))
def test_help_breaks_no_line_within_a_name(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    (commands,) = (action for action in make_parser()._actions if action.choices)
    for parser in (make_parser(), *commands.choices.values()):
        assert not re.search(r"\w-$", parser.format_help(), re.MULTILINE)


def test_every_command_has_its_function():
    (commands,) = (action for action in make_parser()._actions if action.choices)
    assert {"train", "report", "check-data"} < set(commands.choices)
    for parser in commands.choices.values():
        module, name = parser.get_default("command").split(":")
        assert callable(getattr(importlib.import_module(f"roadmap.cli.{module}"), name))


def test_compile_takes_no_value():
    """A study or row that stands after it is not its value."""
    for given, value in ((["--compile"], True), (["--no-compile"], False), ([], "auto")):
        options = make_parser().parse_args(["run", *given, "path"])
        assert (options.compile, options.study) == (value, "path")


def test_a_table_of_another_measure(capsys):
    assert main(["table", "--runs", RECORDS, "--measure", "loss", "--format", "json"]) == 0
    row = json.loads(capsys.readouterr().out)[0]
    runs = [read_record(path) for path in Path(RECORDS).glob("00-*.json")]
    assert row["loss"] == pytest.approx(sum(run.loss for run in runs) / len(runs))
    assert "top1" not in row


def test_verdicts_of_another_measure(capsys):
    assert main(["verdicts", "--runs", RECORDS, "--measure", "images_per_second"]) == 0
    assert "training speed" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["table", "verdicts", "plot", "report", "run"])
def test_an_unknown_measure_is_refused_with_the_valid_ones(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    more = ["path", "--until-decided"] if command == "run" else []
    assert main([command, *more, "--measure", "top3"]) == 2
    assert capsys.readouterr() == (
        "",
        "roadmap: unknown measure 'top3'; did you mean 'top5'? valid: top1, top5, loss, "
        "images_per_second\n",
    )
    assert not list(tmp_path.iterdir())


def test_a_metric_of_the_runs_is_a_measure(tmp_path, capsys):
    for number, path in enumerate(sorted(Path(RECORDS).glob("05-*.json"))):
        record = dataclasses.replace(read_record(path), metrics={"f1": 0.5 + number / 10})
        write_record(record, tmp_path / path.name)
    arguments = ["table", "--runs", str(tmp_path), "--format", "json", "--measure"]
    assert main([*arguments, "f1"]) == 0
    assert json.loads(capsys.readouterr().out)[5]["f1"] == pytest.approx(0.7)
    assert main([*arguments, "f2"]) == 2
    assert "images_per_second, f1" in capsys.readouterr().err


@pytest.mark.slow
def test_a_report_recommends_commands_that_name_folders_with_spaces(tmp_path):
    """Of old records, whose --data is in their command alone."""
    (path,) = Path(RECORDS).glob("05-*-seed0.json")
    record = read_record(path)
    command = shlex.join(["roadmap", "train", "05", "--data", "my images"])
    provenance = dataclasses.replace(record.provenance, command=command)
    runs = tmp_path / "my runs"
    target = runs / record.identity.run / "record.json"
    target.parent.mkdir(parents=True)
    write_record(dataclasses.replace(record, provenance=provenance, asked=None), target)
    out = tmp_path / "out"
    arguments = ["report", "--runs", str(runs), "--out", str(out), "--set", "recipe.epochs=5"]
    assert report(Workspace(make_parser().parse_args(arguments))) == 0
    page = (out / "report.html").read_text().replace("&#39;", "'").replace("\xa0", " ")
    assert f"--data 'my images' --set recipe.epochs=5 --runs '{runs}'" in page
