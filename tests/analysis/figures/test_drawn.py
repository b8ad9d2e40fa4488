"""What is kept of earlier figures may be anything."""

import os

import pytest

from analysis.figures.drawn import FILES, Files


def test_kept_files_that_never_end_or_nest_too_deep_are_drawn_again(tmp_path):
    for name in ("pipe", "deep"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe" / FILES)
    (tmp_path / "deep" / FILES).write_text("[" * 200_000)
    assert Files.of(tmp_path / "pipe").known == Files.of(tmp_path / "deep").known == {}


@pytest.mark.timeout(30)
def test_a_pipe_in_place_of_a_figure_is_not_read(tmp_path):
    figure = tmp_path / "cost.svg"
    figure.write_text("<svg/>")
    Files.of(tmp_path).add([figure], "key")
    assert Files.of(tmp_path).has([figure], "key")
    figure.unlink()
    os.mkfifo(figure)
    assert not Files.of(tmp_path).has([figure], "key")
