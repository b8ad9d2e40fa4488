"""Exit codes and messages when something outside the command goes wrong."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from experiments.host.events import Message
from experiments.host.progress import Display
from roadmap.cli import run
from roadmap.cli.main import main
from roadmap.record import read_record

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "results" / "tiny"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def to_closed_pipe(*arguments, stream="stdout"):
    """Run a command whose stdout or stderr nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writer}
    try:
        return subprocess.run(
            [sys.executable, "-m", "roadmap", *map(str, arguments)],
            env=ENVIRONMENT,
            text=True,
            check=False,
            **streams,
        )
    finally:
        os.close(writer)


def finished_runs(folder, rows):
    """A folder of runs in which seed 0 of these rows is finished."""
    for row in rows:
        (path,) = RECORDS.glob(f"{row}-*-seed0.json")
        target = folder / read_record(path).identity.run
        target.mkdir()
        shutil.copy(path, target / "record.json")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["cost"], ["--help"], ["table", "--runs", RECORDS]])
def test_a_reader_that_stops_early_is_no_failure(arguments):
    done = to_closed_pipe(*arguments)
    assert done.returncode == 0 and not done.stderr


@pytest.mark.slow
def test_failed_runs_are_told_even_if_nobody_reads_the_table(tmp_path):
    runs = finished_runs(tmp_path, ["00", "01"])
    torn = next(runs.iterdir()) / "record.json"
    torn.write_text(torn.read_text()[:100])
    arguments = ("run", "--rows", "00,01", "--runs", runs)
    done = to_closed_pipe(*arguments)
    assert done.returncode == 1 and "1 of 2 runs failed" in done.stderr
    assert to_closed_pipe(*arguments, stream="stderr").returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["cost"], ["--help"]])
def test_an_output_that_cannot_be_written_is_a_failure_without_a_traceback(arguments):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "roadmap", *arguments]
        done = subprocess.run(
            command, env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
        assert done.returncode == 1 and "No space left" in done.stderr
        assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
        wrong = [*command[:3], "cost", "--roadmap", "none"]
        assert subprocess.run(wrong, env=ENVIRONMENT, stderr=full, check=False).returncode == 2


@pytest.mark.slow
def test_no_file_takes_the_number_of_a_closed_stream():
    code = "import os; from roadmap.cli.console import prepare; prepare(); os._exit(os.dup(0))"
    command = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code]
    assert subprocess.run(command, env=ENVIRONMENT, check=False).returncode >= 3


def test_a_display_that_cannot_be_written_does_not_fail_a_run(monkeypatch):
    for target in ("/dev/full", None):
        reader, writer = os.pipe()
        os.close(reader)
        with open(target or writer, "w") as stream, monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", stream)
            display = Display()
            display(Message(run="05", text="first"))
            display(Message(run="05", text="second"))
            assert display.console.quiet
            with suppress(OSError):
                stream.close()


def test_control_characters_in_unknown_options_are_escaped(capsys):
    with pytest.raises(SystemExit):
        main(["cost", "--\x1b[31m"])
    assert "\x1b" not in capsys.readouterr().err


def test_control_characters_of_paths_are_escaped(capsys, tmp_path):
    out = tmp_path / "a\x1b[31m"
    assert main(["collect", "--runs", str(RECORDS), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text and "a\\x1b[31m" in text and list(out.glob("*.json"))


def test_a_file_that_cannot_have_its_name_is_named_itself(capsys, tmp_path, monkeypatch):
    def rename(workspace):
        (tmp_path / "a").touch()
        (tmp_path / "a").rename(tmp_path / ("b" * 300))

    monkeypatch.setattr("pkgutil.resolve_name", lambda name: rename)
    assert main(["list"]) != 0
    assert f"{'b' * 300}: File name too long" in capsys.readouterr().err


def test_too_many_runs_are_refused_at_once(tmp_path, capsys):
    assert main(["run", "--seeds", "1000000000", "--runs", str(tmp_path)]) == 2
    assert "more than 100,000 runs" in capsys.readouterr().err


def test_a_steps_file_that_is_too_large_is_refused(tmp_path, capsys):
    path = tmp_path / "steps.py"
    path.write_text("#" * 1_000_001)
    assert main(["cost", "--steps", str(path)]) == 2
    assert "more than 1,000,000 bytes" in capsys.readouterr().err


def test_another_broken_pipe_is_a_failure(tmp_path, monkeypatch, capsys):
    def broken(*_, **__):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(run, "run_all", broken)
    assert main(["train", "05", "--runs", str(tmp_path)]) == 1
    assert "Broken pipe" in capsys.readouterr().err


SAVING = """
import multiprocessing, signal, sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from roadmap.cli import tables
from roadmap.cli.main import main

def save():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path("saving").touch()
    time.sleep(600)

def interrupted(workspace):
    ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")).submit(save)
    while not Path("saving").exists():
        time.sleep(0.01)
    raise KeyboardInterrupt

tables.table = interrupted
sys.exit(main(["table"]))
"""


@pytest.mark.slow
def test_a_second_ctrl_c_ends_what_still_saves_without_a_traceback(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SAVING],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline() == (
            "roadmap: interrupted; run the same command again to resume\n"
        )
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
        assert process.wait() == 130


WITHOUT_TORCH = """
import sys
from roadmap.cli.main import main
code = main(sys.argv[1:])
assert "torch" not in sys.modules
sys.exit(code)
"""


def train_into(runs):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "train", "05", "--runs", runs],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("below", ["", "inner"])
def test_runs_that_are_a_link_to_nothing_are_refused_before_torch(tmp_path, below):
    (tmp_path / "runs").symlink_to(tmp_path / "gone")
    done = train_into(tmp_path / "runs" / below)
    assert done.returncode == 2, done.stderr
    assert "is a link to nothing" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.fixture
def read_only(tmp_path):
    """A folder that nobody can write to; root can write where only the mode forbids it."""
    if os.geteuid() != 0:
        tmp_path.chmod(0o555)
        yield tmp_path
        tmp_path.chmod(0o755)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_runs_that_cannot_be_written_to_are_refused_before_torch(read_only):
    done = train_into(read_only / "runs")
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["cost", "--roadmap", "loop.yaml"], ["check-data", "loop.yaml/set"]]
)
def test_a_link_to_itself_is_a_wrong_input(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    Path("loop.yaml").symlink_to("loop.yaml")
    assert main(command) == 2
    assert re.fullmatch("roadmap: .*loop.yaml.*\n", capsys.readouterr().err)


def test_a_file_error_of_too_many_links_is_a_wrong_input(monkeypatch, capsys):
    def fail(*_):
        raise OSError(errno.ELOOP, "Too many levels of symbolic links", "loop")

    monkeypatch.setattr("roadmap.cli.data.check_data", fail)
    assert main(["check-data", "fractals"]) == 2
    assert capsys.readouterr().err == "roadmap: loop: Too many levels of symbolic links\n"


def test_finished_runs_in_a_folder_that_cannot_be_written_to_are_shown(tmp_path, monkeypatch):
    runs = finished_runs(tmp_path, ["05"])
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert main(["train", "05", "--runs", str(runs)]) == 0


@pytest.mark.parametrize(
    "given",
    [
        ["cost", "--roadmap", "tiny", "--roadmap", "cifar"],
        ["cost", "--steps", "a.py", "--steps", "b.py"],
        ["train", "05", "--seed", "1", "--seed=1"],
        ["run", "--rows", "00", "--rows", "01"],
        ["run", "--compile", "--no-compile"],
    ],
)
def test_an_option_given_twice_is_refused(given, capsys):
    with pytest.raises(SystemExit) as end:
        main(given)
    usage, _, message = capsys.readouterr().err.rpartition("\nroadmap ")
    assert end.value.code == 2 and "is given twice" in message and usage.startswith("usage")


@pytest.mark.parametrize(
    "given",
    [
        ["run", "path", "--seeds", "2000000000"],
        ["run", "path", "--until-decided", "--max-seeds", "2000000000"],
        ["plan", "path", "--seeds", "2000000000"],
        ["plan", "mine.yaml"],
    ],
)
def test_more_runs_than_one_command_may_have_are_refused(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    values = ", ".join(f"{number / 1000}" for number in range(1, 181))
    sweep = f"design: sweep\nof: recipe.learning_rate\nvalues: [{values}]\nseeds: 1000\n"
    Path("mine.yaml").write_text(sweep)
    assert main(given) == 2
    assert re.search(r"rows × [\d,]+ seeds are more than 100,000 runs\n", capsys.readouterr().err)
