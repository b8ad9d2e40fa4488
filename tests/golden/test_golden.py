"""The shipped rows are those in this folder's text files."""

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
golden_texts = runpy.run_path(str(FOLDER / "__main__.py"))["golden_texts"]
ROWS = dict(golden_texts())


@pytest.mark.parametrize("path", ROWS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_row_is_as_it_was(path):
    expected = path.read_text(encoding="utf-8")
    assert ROWS[path] == expected, "python -m tests.golden rewrites it"


def test_there_is_one_file_per_row():
    assert set(ROWS) == set(FOLDER.rglob("*.txt"))
