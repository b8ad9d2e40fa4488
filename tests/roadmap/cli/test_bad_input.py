"""Promise 12: bad input ends at once in exit code 2 with one message, and nothing is written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_bad_input_of_many_kinds_is_named_before_torch_is_loaded(tmp_path):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("bad_input.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["tried"] >= 300
    assert not found["wrong"], "\n".join(found["wrong"])
