"""Files that are written whole, and what is not read."""

import fcntl
import os
from pathlib import Path

import pytest

from roadmap.files import is_special, put, put_bytes, put_text, read_text


def test_a_planted_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "record.json"
    victim.write_text("mine")
    path.symlink_to(victim)
    (tmp_path / f"record.{os.getpid()}.partial").symlink_to(victim)
    put_text(path, "new")
    assert victim.read_text() == "mine"
    assert path.read_text() == "new" and not path.is_symlink()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["record.json", "victim"]


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path):
    path, mine, victim = tmp_path / "a.json", tmp_path / "b.7.partial", tmp_path / "victim"
    abandoned, written = tmp_path / "a.1.partial", tmp_path / "a.2.partial"
    for file in (abandoned, written, mine, victim):
        file.write_text("half")
    (tmp_path / "a.3.partial").symlink_to(victim)
    (tmp_path / "a.4.partial").mkdir()
    with written.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        put_text(path, "new")
        assert written.read_text() == "half" and not abandoned.exists()
    put_text(path, "newer")
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["a.3.partial", "a.4.partial", "a.json", "b.7.partial", "victim"]
    assert victim.read_text() == "half" and path.read_text() == "newer"


def test_a_file_that_is_being_written_is_not_taken_for_an_abandoned_one(tmp_path, monkeypatch):
    path, flushed = tmp_path / "a.json", []

    def meanwhile(number):
        if not flushed:  # another process, which has its own number, writes the same file
            flushed.append(number)
            monkeypatch.setattr(os, "getpid", lambda: 1)
            put_text(path, "another")
            monkeypatch.undo()

    monkeypatch.setattr(os, "fsync", meanwhile)
    put_text(path, "this")
    assert path.read_text() == "this" and len(list(tmp_path.iterdir())) == 1


def test_a_file_is_unchanged_if_writing_fails(tmp_path):
    path = tmp_path / "record.json"
    put_bytes(path, b"old")
    with pytest.raises(TypeError):
        put(path, b"new", "no bytes", partial=tmp_path / "record.partial")
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]
    put(path, b"new", partial=tmp_path / "record.partial", before=tmp_path / "before.json")
    assert (path.read_bytes(), (tmp_path / "before.json").read_bytes()) == (b"new", b"old")


def test_only_regular_files_up_to_a_size_are_read(tmp_path):
    (tmp_path / "file").write_text("12345")
    assert read_text(tmp_path / "file", limit=5) == "12345"
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbf12")
    assert read_text(tmp_path / "marked", limit=5) == "12"
    with pytest.raises(ValueError, match="5 bytes are more than 4"):
        read_text(tmp_path / "file", limit=4)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        read_text(tmp_path / "pipe", limit=4)


def test_a_device_or_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a file"):
        put_bytes(tmp_path / "pipe", b"new")
    assert is_special(tmp_path / "pipe") and is_special(Path("/dev/null"))
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]
