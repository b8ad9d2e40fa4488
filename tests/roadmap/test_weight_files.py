"""Weights files that are damaged or made to do harm: one line each, and no memory is taken."""

import json
import pickle
import struct

import pytest
import torch

from roadmap.errors import Problem
from roadmap.weight_checks import safetensors_shapes
from roadmap.weight_files import read_weight_file

MATRIX = torch.ones(4, 4)
ODD = {
    "more numbers than bytes": lambda: torch.ones(4).expand(10**12, 4),
    "complex": lambda: MATRIX.to(torch.complex64),
    "sparse": MATRIX.to_sparse,
    "without data": lambda: torch.ones(4, device="meta"),
}


@pytest.mark.parametrize("kind", ODD)
def test_tensors_that_are_no_plain_numbers_are_refused(kind, tmp_path):
    torch.save({"a.weight": ODD[kind]()}, tmp_path / "odd.pth")
    with pytest.raises(Problem, match="odd.pth is not readable as weights"):
        read_weight_file(tmp_path / "odd.pth")


def test_shared_numbers_are_read(tmp_path):
    torch.save({"a.weight": MATRIX, "b.weight": MATRIX}, tmp_path / "tied.pth")
    assert len(read_weight_file(tmp_path / "tied.pth").weights) == 2


def test_no_message_advises_to_execute_a_file(tmp_path):
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"a": print}, protocol=4))
    with pytest.raises(Problem, match="not readable as weights") as refused:
        read_weight_file(path)
    assert "weights_only" not in str(refused.value)


@pytest.mark.parametrize("end", [4, 10**15, -1, float("inf")])
def test_a_safetensors_file_has_as_many_bytes_as_its_header_says(end, tmp_path):
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, end]}
    header = json.dumps({"a.weight": entry}).encode()
    (tmp_path / "cut.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(Problem, match="it is damaged"):
        safetensors_shapes(tmp_path / "cut.safetensors")
