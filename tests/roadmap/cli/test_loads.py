"""One command loads each file once and selects the runs of each roadmap once."""

import importlib
import json
import sys
from collections import Counter
from collections.abc import Hashable
from pathlib import Path

import pytest

from analysis import selection
from roadmap import record
from roadmap.cli.main import main
from roadmap.cli.options import make_parser
from roadmap.cli.workspace import Workspace
from steps.roadmaps import load as roadmaps
from steps.studies import load as studies

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "results" / "tiny"


WATCHED = {  # what loads or selects, and what of its arguments tells one call from another
    roadmaps.load_roadmap: lambda name, **_: name,
    studies.load_study: lambda name, *, roadmap, **_: (name, roadmap),
    record.read_records: lambda folder, *_: folder,
    selection.select: lambda roadmap, runs, data, **_: (roadmap.name, id(roadmap)),
}


@pytest.fixture
def counts(monkeypatch):
    """The calls of watched functions, counted wherever the functions were imported."""
    for module in ("plan", "plot", "report", "run", "tables"):
        importlib.import_module(f"roadmap.cli.{module}")
    counter, kept = Counter(), []

    def counting(function):
        def counted(*given, **named):
            if not any(isinstance(value, selection.Selection) for value in given):
                kept.append(given)  # so that no other value gets its id
                counter[function.__name__, str(WATCHED[function](*given, **named))] += 1
            return function(*given, **named)

        return counted

    rooms = ("roadmap", "steps", "experiments", "analysis")
    for module in [m for name, m in sys.modules.items() if name.partition(".")[0] in rooms]:
        for name, value in list(vars(module).items()):
            if isinstance(value, Hashable) and callable(value) and value in WATCHED:
                monkeypatch.setattr(module, name, counting(value))
    return counter


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
        pytest.param(["plot", "effects"], marks=pytest.mark.slow),
        pytest.param(["plot", "block", "--study", "leave-one-out"], marks=pytest.mark.slow),
        pytest.param(["report", "leave-one-out", "orders"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_one_command_loads_and_selects_once(arguments, runs, counts, tmp_path, capsys):
    out = ["--out", str(tmp_path)] if arguments[0] in ("plot", "report") else []
    folder = runs if arguments[0] == "run" else RECORDS
    assert main([*arguments, "--runs", str(folder), *out]) == 0
    assert {call: count for call, count in counts.items() if count > 1} == {}
    assert any(function == "load_roadmap" for function, _ in counts), "nothing was watched"
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["table"],
        ["verdicts"],
        ["run", "path", "--seeds", "1"],
        pytest.param(["plot", "roadmap"], marks=pytest.mark.slow),
        pytest.param(["report", "leave-one-out"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_work_per_record_is_done_once(arguments, runs, monkeypatch, tmp_path, capsys):
    """Each file is read once; a record's contents and its run's name are hashed once at most."""
    counter = Counter()
    hashing, reading = record.fingerprint, record.read_text

    def counted_hash(thing):
        counter["hash", json.dumps(thing, sort_keys=True)] += 1
        return hashing(thing)

    def counted_read(path, **given):
        counter["read", str(path)] += 1
        return reading(path, **given)

    monkeypatch.setattr(record, "fingerprint", counted_hash)
    monkeypatch.setattr(record, "read_text", counted_read)
    out = ["--out", str(tmp_path)] if arguments[0] in ("plot", "report") else []
    folder = runs if arguments[0] == "run" else RECORDS
    assert main([*arguments, "--runs", str(folder), *out]) == 0
    # `run` names a run twice: as it was asked for, and as its record says
    most = 2 if arguments[0] == "run" else 1
    repeated = {call: count for call, count in counter.items() if count > most}
    assert repeated == {} and all(
        count == 1 for (what, _), count in counter.items() if what == "read"
    )
    assert sum(what == "read" for what, _ in counter) == len(list(folder.rglob("*.json")))
    assert capsys.readouterr().out


def test_forgotten_records_are_read_again(tmp_path):
    """A command that trains in several rounds decides by the records of the last one."""
    first, second = sorted(RECORDS.glob("05-*.json"))[:2]
    workspace = Workspace(make_parser().parse_args(["table", "--runs", str(tmp_path)]))
    for number, path in enumerate((first, second), 1):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        workspace.forget_records()
        assert len(workspace.loaded.records) == len(workspace.records) == number
