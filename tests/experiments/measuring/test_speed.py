"""`roadmap speed`: what is measured, what is kept, and what tables and figures take of it."""

import csv
import io
import json
from dataclasses import replace

import pytest
import torch

from analysis.figures.points import table_points
from analysis.tables.render import render
from analysis.tables.speed_table import SpeedRow
from analysis.tables.table import tabulate
from experiments.host.machine import Machine
from experiments.measuring.memory import peak_bytes
from experiments.measuring.speed import Plan, measure_speeds
from roadmap.cli.main import main
from roadmap.edit import replace as changed
from roadmap.record import Label
from roadmap.speed import Speeds, read_speeds, speed_key
from steps.roadmaps.load import load_roadmap

QUICK = ["--rounds", "2", "--seconds", "0", "--batch", "2", "--threads", "1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with the speeds of two rows of tiny and of a timm model."""
    folder = tmp_path_factory.mktemp("runs")
    rows = "00,13,timm:convnext_atto"
    assert main(["speed", rows, *QUICK, "--runs", str(folder), "--format", "csv"]) == 0
    return folder


def test_every_number_has_a_value_per_round(runs):
    speeds, broken = read_speeds(runs)
    assert broken == [] and sorted(s.label.row for s in speeds) == [
        "00",
        "13",
        "timm:convnext_atto",
    ]
    for speed in speeds:
        assert len(speed.training) == len(speed.inference) == len(speed.latency) == 2
        assert speed.batch == 2 and speed.classes == 20 and speed.image_size == 48
        assert speed.training_bytes > speed.inference_bytes > 0
        assert speed.provenance.threads == 1 and speed.provenance.hardware
    atto = next(s for s in speeds if "atto" in s.label.row)
    weights = 4 * 3_400_000
    assert atto.inference_bytes > weights and atto.training_bytes > 3 * weights  # AdamW has two


def test_the_table_takes_speeds_by_network_not_by_name(runs, capsys):
    assert main(["table", "--runs", str(runs), "--format", "csv"]) == 0
    rows = {row["row"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert float(rows["00"]["speed"]) > 0 and rows["05"]["speed"] == ""
    assert rows["00"]["images_per_second"] == ""  # that is of training runs
    more = ["--set", "recipe.epochs=3", "--set", "recipe.learning_rate=0.5"]
    assert main(["table", "--runs", str(runs), "--format", "csv", *more]) == 0
    again = {row["row"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert again["00"]["speed"] == rows["00"]["speed"]
    other = ["--set", "recipe.image_size=32"]
    assert main(["table", "--runs", str(runs), "--format", "csv", *other]) == 0
    assert "speed" not in capsys.readouterr().out.partition("\n")[0].split(",")


def test_a_second_measurement_replaces_the_first(runs, capsys):
    before = {path.name for path in runs.glob("speed-*.json")}
    assert main(["speed", "00", *QUICK, "--runs", str(runs)]) == 0
    assert {path.name for path in runs.glob("speed-*.json")} == before
    assert "train img/s" in capsys.readouterr().out


def test_rows_take_turns(monkeypatch):
    """Each round times every row, and every second round in the opposite order."""
    from experiments.measuring import speed

    order, tiny = [], load_roadmap("tiny").with_classes(20)

    def in_turn(rounds, *runs):
        order.append((rounds, len(runs)))
        return original(rounds, *runs)

    original = speed.in_turn
    monkeypatch.setattr(speed, "in_turn", in_turn)
    label = Label(roadmap="tiny", row="00", step="resnet", title="ResNet", group="baseline")
    specs = [(replace(label, row=number), tiny[number].spec) for number in ("00", "13")]
    seen = []
    speeds = measure_speeds(
        specs,
        Plan(rounds=3, seconds=0, batch=2),
        Machine(threads=1, workers=0, precision="32", compile=False),
        command="",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert order == [(3, 2)] and seen[-1] == (8, 8)
    assert [speed.label.row for speed in speeds] == ["00", "13"]


def test_an_average_of_the_weights_is_part_of_a_step():
    spec = load_roadmap("tiny")["13"].spec
    averaged = changed(spec, recipe=changed(spec.recipe, ema=0.99))
    assert speed_key(to_plain(spec)) != speed_key(to_plain(averaged))


def to_plain(spec):
    from roadmap.spec import to_dict

    return to_dict(spec)


def test_peak_memory_of_known_tensors():
    held = torch.zeros(1000)

    def work():
        first = torch.zeros(250_000)  # 1 MB
        second = first + 1  # another
        del first
        return second + 1  # the third replaces the first

    peak = peak_bytes(work, [held, held], torch.device("cpu"))
    assert 0 <= peak - 4000 - 2_000_000 < 100  # the numbers 1 are tensors too


def test_only_measured_speeds_are_in_tables_and_figures(runs):
    tiny = load_roadmap("tiny").with_classes(20)
    bare, measured = tabulate(tiny, []), tabulate(tiny, [], speeds=Speeds.of(read_speeds(runs)[0]))
    assert "img/s" not in render(bare, "md") and "train img/s" in render(measured, "md")
    assert "img/s" not in render(bare, "latex") and "img/s" in render(measured, "latex")
    assert "speed: median of 2 rounds" in " ".join(measured.notes)
    once = [replace(speed, training=speed.training[:1]) for speed in read_speeds(runs)[0]]
    assert "speed: one round, " in " ".join(Speeds.of(once).notes)
    known = [replace(row, mean=50.0, n=1) for row in measured.rows]
    assert "speed" in table_points(replace(measured, rows=tuple(known))).axes
    unknown = [replace(row, mean=50.0, n=1, images_per_second=900.0) for row in bare.rows]
    assert "speed" not in table_points(replace(bare, rows=tuple(unknown))).axes


def test_speeds_of_two_machines_are_not_mixed(runs):
    speeds = read_speeds(runs)[0]
    elsewhere = replace(speeds[0].provenance, hardware="another")
    other = replace(speeds[0], provenance=elsewhere, training=(1.0,))
    both = Speeds.of([other, *speeds])
    assert both.by_key[speeds[0].key].training != (1.0,)
    assert any("left out: 1 speed measured elsewhere (another" in note for note in both.notes)


def test_speeds_are_collected_with_the_records(tmp_path, runs, capsys):
    from pathlib import Path

    for path in Path("results/tiny").glob("0?-*-seed0.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for path in runs.glob("speed-00*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert main(["collect", "--runs", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("speed-00-*.json"))) == 1


def test_a_broken_speed_is_named(tmp_path, capsys):
    (tmp_path / "speed-00-1.json").write_text("{")
    (tmp_path / "speed-00-2.json").write_text(json.dumps({"kind": "speed"}))
    assert main(["table", "--runs", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "speed-00-1.json: not readable as a speed" in said
    assert "speed-00-2.json: not a speed: key" in said


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["speed", "99"], "99"),
        (["speed", "timm:nothing_here"], "timm has no model 'nothing_here'"),
        (["speed", "00,00"], "names a row twice"),
        (["speed", "--format", "xml"], "xml"),
    ],
)
def test_what_cannot_be_timed_is_named_at_once(arguments, fault, tmp_path, capsys):
    assert main([*arguments, "--runs", str(tmp_path / "runs")]) == 2
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_the_row_of_the_table_has_median_and_range(runs):
    speed = replace(read_speeds(runs)[0][0], training=(3.0, 1.0, 2.0))
    row = SpeedRow.of(speed)
    assert (row.training, row.training_low, row.training_high, row.rounds) == (2.0, 1.0, 3.0, 3)
    assert row.cells()["training"] == "2 (1–3)"


def test_what_takes_hours_or_all_memory_is_refused(tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    given = ["speed", "00", "--runs", str(tmp_path), "--threads", "1"]
    assert main([*given, "--seconds", "4000"]) == 2
    assert "more than 3,600" in capsys.readouterr().err
    monkeypatch.setattr("experiments.measuring.speed.torch.randn", full)
    assert main([*given, "--batch", "8"]) == 2
    assert "does not fit into memory; give --batch 4" in capsys.readouterr().err
