"""The benchmarks run, and say what they found; their figures are not tested, but measured."""

import json
import subprocess
import sys

import pytest

from experiments.benchmarks.__main__ import main
from experiments.benchmarks.measure import Measurement, in_turn, ratio, timed
from experiments.benchmarks.training import PLAIN, Small, Turns, bare_loop
from experiments.host.machine import Machine
from experiments.job import Job
from experiments.request import Request
from experiments.training.loop import train_here


@pytest.mark.slow
def test_a_section_prints_and_saves_what_it_found(tmp_path):
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "experiments.benchmarks", "--only", "augmentation"]
    done = subprocess.run(
        [*command, "--trials", "1", "--out", str(out)], capture_output=True, text=True, check=True
    )
    saved = json.loads(out.read_text())
    ours, theirs, _, both = saved["found"]["augmentation"]
    assert both["median"] == pytest.approx(ours["median"] / theirs["median"])
    assert saved["provenance"]["versions"]["torch"] and saved["provenance"]["hardware"]
    assert "augmentation: held / timm's" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_trials_are_taken_in_turn_and_compared_pair_by_pair():
    seen = []
    runs = [lambda: seen.append("a") or 2.0, lambda: seen.append("b") or 4.0]
    ours, theirs = in_turn(3, *runs)
    assert "".join(seen) == "abbaab" and (ours, theirs) == ([2.0] * 3, [4.0] * 3)
    both = ratio("a / b", [1.0, 3.0, 8.0], [2.0, 3.0, 4.0])
    assert (both.trials, both.median) == ((0.5, 1.0, 2.0), 1.0)
    assert "0.5–2 (3)" in both.line()


@pytest.mark.slow
def test_the_runner_and_a_bare_loop_train_the_same_number_of_steps_by_turns(tmp_path):
    """On a real, short run: every step that is timed has its fellow, epoch by epoch."""
    settings = Small(roadmap="tiny", overrides={"recipe.epochs": 2, **PLAIN}, runs=tmp_path)
    request = Request(settings=settings, row="04", seed=0)
    request.folder.mkdir(parents=True)
    machine = Machine(threads=1, workers=0, precision="32", compile=False)
    turns = Turns(bare_loop(request, machine), request.spec.recipe.batch)
    train_here(Job(request=request, machine=machine), turns.tell)
    counts = [
        {epoch: len(steps) for epoch, steps in seconds.items()}
        for seconds in (turns.runner, turns.loop)
    ]
    assert counts[0] == counts[1] and set(counts[0]) == {0, 1}
    assert 20 < counts[0][1] < 31  # of 31 steps; the first of an epoch starts the clock
    assert len(turns.images_per_second(turns.loop)) == 1
    assert len(turns.images_per_second(turns.runner)) == 1


def test_a_command_is_timed_with_its_own_memory():
    seconds, small = timed("-c", "import time; time.sleep(0.3)")
    _, large = timed("-c", "x = bytearray(200_000_000)")
    assert seconds > 0.3 and small < 60 and 180 < large - small < 260
    with pytest.raises(RuntimeError, match="ended with 3"):
        timed("-c", "raise SystemExit(3)")


def test_figures_fit_a_terminal():
    figure = Measurement(
        name="test_convnext2: train.py / ours", unit="×", trials=(1.0, 1234.5), aim="aim ≥ 20,000"
    )
    assert max(map(len, figure.line().splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--trials", "0"], "at least 1"), (["--peer", "none.py"], "none.py does not exist"),
     (["--only", "peer"], "needs --peer"), (["--only", "speed"], "speed")],
)  # fmt: skip
def test_bad_options_are_named(arguments, named, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert named in capsys.readouterr().err
