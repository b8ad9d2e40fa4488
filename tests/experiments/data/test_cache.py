"""Folders that are made once: what a killed process leaves of them, and what is at work."""

import pytest

from experiments.data.cache import UNFINISHED, make_once

ENDING = f"{UNFINISHED}{'0af' * 10}12"


def leave(root, name):
    """Make what a killed process leaves: a folder that nobody holds."""
    folder = root / f"{name}{ENDING}"
    folder.mkdir(parents=True)
    (folder / "part.npy").write_bytes(b"half")
    return folder


@pytest.mark.parametrize("done", [False, True])
def test_the_next_start_removes_what_a_killed_one_left(tmp_path, done):
    left = [leave(tmp_path, "set-0123"), leave(tmp_path, "other")]
    folder = tmp_path / "set-0123"
    if done:
        folder.mkdir()
    assert make_once(folder, lambda path: (path / "whole").touch()) == folder
    assert not any(path.exists() for path in left)
    assert (folder / "whole").exists() is not done and list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_is_being_filled_is_left_alone(tmp_path):
    def fill(path):
        make_once(tmp_path / "second", lambda other: (other / "b").touch())
        assert path.is_dir() and UNFINISHED in path.name
        (path / "a").touch()

    assert (make_once(tmp_path / "first", fill) / "a").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_other_folders_and_links_stay(tmp_path):
    mine = leave(tmp_path / "elsewhere", "mine")
    (tmp_path / f"link{ENDING}").symlink_to(mine)
    (tmp_path / f"photos{UNFINISHED}2026").mkdir()
    make_once(tmp_path / "set", lambda path: None)
    assert (mine / "part.npy").exists() and (tmp_path / f"photos{UNFINISHED}2026").is_dir()
