"""One command loads each file once and selects the runs of each roadmap once."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from analysis import selection
from roadmap import record
from roadmap.cli.main import main
from steps.roadmaps import load as roadmaps
from steps.studies import load as studies

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "results" / "tiny"


def calls(arguments):
    """The calls that a command makes, by function and by what it loads or selects."""
    counts = Counter()
    watched = {
        roadmaps.load_roadmap.__code__: lambda given: given["name"],
        studies.load_study.__code__: lambda given: (given["name"], given["roadmap"]),
        record.read_records.__code__: lambda given: given["folder"],
        selection.select.__code__: lambda given: given["roadmap"].name,
    }

    def count(frame, event, _):
        code, given = frame.f_code, frame.f_locals
        if event != "call" or code not in watched:
            return
        if not isinstance(given.get("runs"), selection.Selection):  # that is selected already
            counts[code.co_name, str(watched[code](given))] += 1

    sys.setprofile(count)
    try:
        code = main(arguments)
    finally:
        sys.setprofile(None)
    assert code == 0
    return counts


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of runs in which seed 0 of every row is finished."""
    folder = tmp_path_factory.mktemp("runs")
    for path in RECORDS.glob("*-seed0.json"):
        run = record.read_record(path).identity.run
        (folder / run).mkdir()
        (folder / run / "record.json").write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["table"],
        ["table", "--measure", "loss"],
        ["verdicts"],
        ["verdicts", "leave-one-out"],
        ["plan"],
        ["plan", "--set", "recipe.epochs=3"],
        ["run"],
        ["run", "path", "--seeds", "1"],
        ["plot", "effects"],
        ["plot", "roadmap", "--study", "leave-one-out"],
        ["report", "leave-one-out", "orders"],
    ],
    ids=" ".join,
)
def test_one_command_loads_and_selects_once(arguments, runs, tmp_path, capsys):
    out = ["--out", str(tmp_path)] if arguments[0] in ("plot", "report") else []
    folder = runs if arguments[0] == "run" else RECORDS
    counts = calls([*arguments, "--runs", str(folder), *out])
    assert {call: count for call, count in counts.items() if count > 1} == {}
    assert any(function == "load_roadmap" for function, _ in counts), "nothing was watched"
    assert capsys.readouterr().out
