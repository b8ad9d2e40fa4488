"""Why a task or a wave is missing, from what it printed; and submissions as files."""

from datetime import datetime

import pytest

from experiments.cluster.ended import why_no_record, why_no_wave
from experiments.cluster.submission import (
    Submission,
    SubmittedRun,
    chain,
    new_name,
    read_submission,
    read_submissions,
    write_submission,
)
from roadmap.errors import Problem

RUN = SubmittedRun(row="05", seed=0, name="05 width seed 0", run="0123456789ab")


def submission(name="mine", **changes):
    given = {"first": "mine", "wave": 1, "command": "roadmap submit", "runs": (RUN,), "job": 7}
    return Submission(name=name, **(given | changes))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of submissions; no program of SLURM answers."""
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "submitted").mkdir()
    return tmp_path / "submitted"


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (
            "epoch 1\nslurmstepd-n1: error: Detected 1 oom_kill event in StepId=7.batch\n",
            "oom_kill",
        ),
        ("Traceback\n  x\nModuleNotFoundError: No module named 'roadmap'\n", "No module named"),
        ("roadmap: data images does not exist\nepoch\n", "data images does not exist"),
        ("a\x1b[31m\nslurmstepd: error: DUE TO TIME LIMIT \x1b[0m\n", "TIME LIMIT \\x1b"),
        ("/var/spool/job7/slurm_script: line 9: module: command not found\n", "module: command"),
        ("epoch 1\n", "left the queue"),
    ],
)
def test_a_task_without_a_record_says_why(folder, printed, told):
    (folder / "mine.0.out").write_text(printed)
    found = why_no_record(submission(), 0, folder.parent)
    assert found.startswith("job 7_0 ") and told in found and "mine.0.out" in found


def test_a_task_that_never_began(folder):
    assert why_no_record(submission(), 0, folder.parent).endswith("left the queue before it began")
    assert "sbatch did not return" in why_no_record(submission(job=None), 0, folder.parent)


def test_a_wave_that_did_not_follow_is_told(folder):
    runs = folder.parent
    assert why_no_wave(submission(), runs) == ""  # none was to follow
    (folder / "mine.next.sbatch").write_text("")
    assert "its job left the queue" in why_no_wave(submission(), runs)
    (folder / "mine.next.out").write_text("roadmap: sbatch refused: no account\n")
    assert "no account" in why_no_wave(submission(), runs)
    (folder / "mine.next.out").write_text("roadmap: next wave: 6 finished, nothing to submit\n")
    assert why_no_wave(submission(), runs) == ""


def test_submissions_are_read_back_oldest_first(folder):
    runs = folder.parent
    first, second = submission(), submission("second", wave=2, job=None)
    other = submission("other", first="other")
    for each in (first, second, other):
        write_submission(each, runs)
    assert read_submissions(runs) == ([first, second, other], [])
    assert read_submission(runs, "second") == second
    assert chain(read_submissions(runs)[0], "mine") == [first, second]


def test_a_damaged_submission_does_not_hide_the_others(folder):
    write_submission(submission(), folder.parent)
    (folder / "bad.json").write_text('{"name": 3}')
    found, faults = read_submissions(folder.parent)
    assert found == [submission()] and "bad.json is damaged" in faults[0]
    with pytest.raises(Problem, match="bad.json is damaged"):
        read_submission(folder.parent, "bad")


def test_names_are_words_that_no_other_submission_has(folder):
    now = datetime(2026, 1, 2, 3, 4, 5)
    assert new_name(folder.parent, "my study/é", now) == "my-study-20260102-030405"
    write_submission(submission("path-20260102-030405"), folder.parent)
    assert new_name(folder.parent, "path", now) == "path-20260102-030405-2"
