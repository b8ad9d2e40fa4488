"""Which kernels a table of measurements chooses."""

from functools import cache

import torch

from roadmap.kernels import choice
from roadmap.kernels.cases import Case, cases
from roadmap.kernels.choice import Choice, Shape, read_choices
from roadmap.kernels.measure import choices, line, write_table
from roadmap.kernels.tiles import Tile

SLOW, FAST = [32, 4, 32, 4, 1], [16, 4, 64, 4, 1]


def row(channels, direction, ours, cudnn, side=28):
    tiles = (SLOW, FAST)[: len(ours)]
    timed = [{"tile": tile, "ms": ms, "error": 0.0} for tile, ms in zip(tiles, ours, strict=True)]
    case = {"case": "a case", "kernel": 7, "stride": 1, "channels": channels, "side": side}
    found = {"direction": direction, "ours": timed, "cudnn_ms": cudnn, "failure": ""}
    return case | {"dtype": "bfloat16"} | found


ROWS = [
    row(768, "forward", (0.5, 0.4), 1.0),
    row(192, "forward", (0.2, 0.21), 0.4),
    row(64, "forward", (0.1, 0.1), 0.101),  # less than what a call costs the CPU
    row(768, "input", (0.9, 0.9), 0.5),
    row(192, "input", (0.1, 0.1), 0.5),  # faster, but not so on the larger map
    row(768, "weight", (), 0.5),  # no tile worked
]


def test_a_class_is_ours_from_the_smallest_map_that_wins(tmp_path):
    table = tmp_path / "faster.json"
    table.write_text('{"another GPU": {"choices": []}}')
    result = {
        "gpu": "a GPU",
        "capability": "9.0",
        "torch": "2",
        "cudnn": 9,
        "triton": "3",
        "choices": choices(ROWS),
    }
    write_table(result, table)
    shape = Shape(7, 1, 32, True, torch.bfloat16)
    expected = Choice(Tile(*FAST), None, None, least=192 * 28 * 28)
    assert read_choices(table) == {"another GPU": {}, "a GPU": {shape: expected}}


def test_choose_by_gpu_shape_and_size(monkeypatch):
    entry = {Shape(7, 1, 32, True, torch.bfloat16): Choice(None, None, None, least=100_000)}
    monkeypatch.setattr(choice, "CHOICES", {"a GPU": entry})
    monkeypatch.setattr(choice, "gpu_name", lambda index: "a GPU")

    def chosen(channels, side, kernel=7):
        return choice.choose(torch.empty(1, channels, side, side), kernel, 1, torch.bfloat16)

    assert chosen(192, 28) and chosen(192, 32)
    assert not chosen(96, 28)  # smaller than what was measured to be faster
    assert not chosen(200, 28)  # channels are no multiple of 16
    assert not chosen(192, 33) and not chosen(192, 28, kernel=5)
    assert not chosen(192, 1000)  # larger than any class
    monkeypatch.setattr(choice, "gpu_name", lambda index: "another GPU")
    assert not chosen(192, 28)


def test_an_eager_call_asks_no_device_without_a_table_and_once_with_one(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: asked.append(index) or "GPU")
    monkeypatch.setattr(choice, "gpu_name", cache(choice.gpu_name.__wrapped__))
    shape = Shape(7, 1, 32, True, torch.bfloat16)
    entry = Choice(Tile(*FAST), None, None, least=1)
    for table, times in (({}, 0), ({"GPU": {shape: entry}}, 1)):
        monkeypatch.setattr(choice, "CHOICES", table)
        for _ in range(3):
            found = choice.choose(torch.empty(1, 192, 28, 28), 7, 1, torch.bfloat16)
            assert (found is entry) == bool(table)
        assert len(asked) == times


def test_a_gpu_without_an_entry_uses_one_of_its_architecture_and_says_so(monkeypatch, tmp_path):
    h100, a100 = "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB"
    shape = Shape(7, 1, 32, True, torch.bfloat16)
    entry = {shape: Choice(Tile(*FAST), None, None, least=1)}
    monkeypatch.setattr(choice, "CHOICES", {a100: {}, h100: entry})
    monkeypatch.setattr(choice, "CAPABILITIES", {a100: "8.0", h100: "9.0"})
    for name, capability, measured in (
        (h100, "9.0", h100),
        ("NVIDIA H100 PCIe", "9.0", h100),
        ("NVIDIA H200", "9.0", h100),
        ("NVIDIA A100-PCIE-40GB", "8.0", a100),
        ("NVIDIA B200", "10.0", ""),
    ):
        monkeypatch.setattr(choice, "gpu_name", lambda index, name=name: name)
        monkeypatch.setattr(choice, "gpu_capability", lambda index, own=capability: own)
        assert choice.measured_gpu(0) == measured
        found = choice.choose(torch.empty(1, 192, 28, 28), 7, 1, torch.bfloat16)
        assert (found is not None) == (measured == h100)
        said = choice.in_words(0)
        assert bool(said) == bool(measured)
        assert (measured in said and "same compute capability" in said) == (
            bool(measured) and measured != name
        )
    table = tmp_path / "faster.json"
    write_table(
        {"gpu": h100, "capability": "9.0", "torch": "2", "cudnn": 9, "triton": "3", "choices": []},
        table,
    )
    assert choice.read_capabilities(table) == {h100: "9.0"}


def test_the_committed_table_can_be_read():
    for entries in read_choices(choice.TABLE).values():
        assert all(any(entry[:3]) and entry.least > 0 for entry in entries.values())


def test_a_failure_is_a_line_of_the_table():
    failed = row(192, "forward", (), 0.4) | {"failure": "out of memory"}
    assert "failed: out of memory" in line(failed)
    assert "× 2.00" in line(ROWS[1])


def test_measured_cases_fit_a_class_and_move_known_bytes():
    assert len(set(cases())) == len(cases())
    assert all(case.side <= choice.SIDES[-1] for case in cases())
    assert Case(7, 1, 96, 56).floor_bytes() == 2 * 2 * 128 * 96 * 56 * 56
    assert Case(7, 2, 96, 56).out_side == 28
