"""`roadmap submit` without SLURM: what it refuses, and the script that it prints."""

import json
import os
import shlex
from pathlib import Path

import pytest

from experiments.cluster.submission import Submission, SubmittedRun, write_submission
from roadmap.cli.main import main
from roadmap.cli.options import make_parser


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A folder, and no program of SLURM on the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def script(capsys, *arguments):
    assert main(["submit", *arguments, "--dry-run"]) == 0
    return capsys.readouterr()


def command_of(text):
    """The command of a task, as argparse gets it; the variable stands for its first run."""
    line = text[text.index("exec ") :].replace("\\\n", " ")
    words = shlex.split(line)
    words = words[words.index("-m") :]
    assert words[:3] == ["-m", "roadmap", "run"]
    assert words[-2:] == ["--only", "${runs[SLURM_ARRAY_TASK_ID]}"]
    return make_parser().parse_args(words[2:])


def test_a_dry_run_needs_no_slurm_and_writes_nothing(nowhere, capsys):
    said = script(capsys, "--seeds", "2", "--rows", "05")
    assert "05:0" in said.out and "05:1" in said.out and "2 to submit" in said.err
    assert os.listdir(nowhere) == []


def test_a_task_gets_the_options_of_the_runs_and_none_of_the_submission(nowhere, capsys):
    said = script(
        capsys, "leave-one-out", "--set", "recipe.epochs=2", "--time", "1:00:00", "--seeds", "2",
        "--sbatch", "account=vision", "--sbatch", "mem=4G", "--gpus-per-run", "8",
        "--nodes-per-run", "2", "--partition", "gpu", "--max-parallel", "4", "--no-compile",
        "--accumulate", "2", "--signal", "60",
    )  # fmt: skip
    options = command_of(said.out)
    assert (options.study, options.seeds, options.overrides) == (
        "leave-one-out",
        2,
        ["recipe.epochs=2"],
    )
    assert (options.devices, options.nodes, options.jobs) == (8, 2, 1)
    assert (options.compile, options.accumulate) == (False, 2)
    assert "#SBATCH --account=vision\n#SBATCH --mem=4G\n" in said.out
    assert "#SBATCH --signal=B:USR1@60 " in said.out and "%4\n" in said.out


def test_a_later_wave_is_announced(nowhere, capsys):
    said = script(capsys, "path", "--until-decided", "--seeds", "2")
    assert "submits the next wave" in said.err
    assert command_of(said.out).until_decided


def test_a_choice_begins_with_its_candidates(nowhere, capsys):
    said = script(capsys, "fair", "--rows", "05", "--seeds", "2")
    assert "05@" in said.out and ":1" not in said.out and "submits the next wave" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is no program squeue: this machine has no SLURM"),
        (("--time", "soon"), "--time 'soon' is not a time limit"),
        (("--time", "5"), "less than twice --signal"),
        (("--gpus-per-run", "2", "--devices", "2"), "leave out --devices"),
        (("--nodes-per-run", "7"), "batch"),
        (("--partition", "a b"), "not the name of a partition"),
        (("--sbatch", "array=3"), "sets array itself"),
        (("--setup", "absent.sh"), "absent.sh"),
        (("--until-decided",), "--until-decided is for a whole STUDY"),
        (("orders", "--until-decided"), "by more samples"),
        (("--after", "absent"), "there is no submission"),
        (("--rows", "99"), "unknown row"),
    ],
)
def test_bad_input_is_refused_before_anything_is_submitted(nowhere, capsys, arguments, message):
    assert main(["submit", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.out == ""
    assert os.listdir(nowhere) == []


@pytest.mark.parametrize("option", ["--restart", "--nodes=2", "--jobs=2", "--only=05:0"])
def test_options_of_one_machine_are_not_for_a_cluster(nowhere, capsys, option):
    with pytest.raises(SystemExit) as end:
        main(["submit", option])
    assert end.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["05", "05:x", ":1", "99:0"])
def test_only_names_one_run(nowhere, capsys, text):
    assert main(["run", "--only", text]) == 2
    assert "--only" in capsys.readouterr().err or text == "99:0"
    assert os.listdir(nowhere) == []


def test_a_damaged_submission_is_named_and_the_others_are_shown(nowhere, capsys):
    folder = nowhere / "runs" / "submitted"
    folder.mkdir(parents=True)
    (folder / "torn.json").write_text("{")
    assert main(["status"]) == 0
    said = capsys.readouterr()
    assert "torn.json is damaged" in said.err and "14 waiting" in said.out


def test_without_the_queue_nothing_is_said_about_submitted_runs(nowhere, capsys):
    assert main(["status", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    run = SubmittedRun(**{key: first[key] for key in ("row", "seed", "name", "run")})
    given = {"name": "mine", "first": "mine", "wave": 1, "command": "roadmap submit"}
    (nowhere / "runs" / "submitted").mkdir(parents=True)
    write_submission(Submission(**given, runs=(run,), job=7), Path("runs"))
    assert main(["status"]) == 0
    said = capsys.readouterr()
    assert "unknown which runs are in the queue" in said.err and "14 waiting" in said.out
    assert "left the queue" not in said.out + said.err
