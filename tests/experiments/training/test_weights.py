"""Weights and checkpoints of a run: anything may lie in their places."""

import os

import pytest

from experiments.training.checkpoint import BEFORE, LAST, newest
from experiments.training.weights import WEIGHTS, read_weights
from roadmap.errors import Problem


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [WEIGHTS, LAST])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_weights_that_never_end_are_not_read(tmp_path, name, kind):
    if kind == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(Problem, match="not a regular file"):
        read_weights(tmp_path)


@pytest.mark.timeout(60)
def test_checkpoints_that_never_end_are_damaged(tmp_path):
    for name in (LAST, BEFORE):
        os.mkfifo(tmp_path / name)
    said = []
    with pytest.raises(Problem, match="no checkpoint"):
        newest(tmp_path, said.append)
    assert len(said) == 2 and all("not a regular file" in line for line in said)
