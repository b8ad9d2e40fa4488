"""What is kept of earlier figures may be anything."""

import os

from analysis.figures.drawn import FILES, Files


def test_kept_files_that_never_end_or_nest_too_deep_are_drawn_again(tmp_path):
    for name in ("pipe", "deep"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe" / FILES)
    (tmp_path / "deep" / FILES).write_text("[" * 200_000)
    assert Files.of(tmp_path / "pipe").known == Files.of(tmp_path / "deep").known == {}
