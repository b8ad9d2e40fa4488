"""Image folders and tars of them."""

import os
import shutil
import tarfile
from pathlib import Path

import pytest

from experiments.data.check import broken_images
from experiments.data.folder import Folder
from experiments.data.prepared import NOTE
from experiments.data.sources import read_source
from experiments.data.splits import open_data
from roadmap.cli.main import main
from roadmap.errors import Problem


def test_a_tar_is_the_folder_it_was_made_of(images, tmp_path):
    plain, nested = tmp_path / "plain.tar", tmp_path / "nested.tar"
    with tarfile.open(plain, "w") as archive:
        for split in ("train", "val"):
            archive.add(images / split, split)
    with tarfile.open(nested, "w") as archive:
        archive.add(images, "somewhere")
    folder = open_data(read_source(str(images)), tmp_path)
    for path in (plain, nested):
        source = read_source(str(path))
        assert source.fingerprint == folder.source.fingerprint
        opened = open_data(source, tmp_path)
        for index in (0, 20, 35):
            one, other = opened.train.image(index), folder.train.image(index)
            assert one.tobytes() == other.tobytes()
        assert (opened.val.labels == folder.val.labels).all()


def test_a_tar_with_links_and_replaced_members_is_still_the_folder(images, tmp_path):
    root = tmp_path / "linked"
    shutil.copytree(images, root)
    (root / "train/a/hard.png").hardlink_to(root / "train/a/0.png")
    (root / "train/b/soft.png").symlink_to("../a/1.png")
    (root / "train/b/._hidden.png").write_text("of another system")
    packed = tmp_path / "linked.tar"
    with tarfile.open(packed, "w") as archive:
        archive.add(root, "x")
        archive.add(root / "train/a/2.png", "x/train/a/2.png")
    folder, tar = read_source(str(root)), read_source(str(packed))
    assert folder.images == tar.images == 38
    assert folder.fingerprint == tar.fingerprint
    one, other = open_data(folder, tmp_path), open_data(tar, tmp_path)
    for index in range(38):
        assert one.train.image(index).tobytes() == other.train.image(index).tobytes()


def test_a_tar_that_does_not_fit_is_named(images, tmp_path):
    packed = tmp_path / "packed.tar"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(images, "x")
    with pytest.raises(Problem, match="no plain tar"):
        read_source(str(packed))
    half = tmp_path / "half.tar"
    with tarfile.open(half, "w") as archive:
        archive.add(images / "train", "train")
    with pytest.raises(Problem, match="has no val/"):
        read_source(str(half))


def test_a_link_to_a_folder_around_it_is_named(images, tmp_path):
    root = tmp_path / "looped"
    shutil.copytree(images, root)
    (root / "train/a/again").symlink_to(root / "train")
    with pytest.raises(Problem, match="train/a/again is a link to a folder that contains it"):
        Folder.read(str(root), None)
    (root / "train/a/again").unlink()
    (root / "train/a/there").symlink_to(root / "train/b")
    (root / "train/b/back").symlink_to(root / "train/a")
    with pytest.raises(Problem, match="is a link to a folder that contains it"):
        Folder.read(str(root), None)
    (root / "train/b/back").unlink()
    (root / "train/a/there").unlink()
    (root / "train/a/more").symlink_to(root / "val/a")  # next to it, no loop
    (root / "train/b/.cache").symlink_to(root)  # hidden, so not looked into
    assert len(Folder.read(str(root), None).samples["train"]) == 36 + 5


def test_a_tar_of_two_sets_is_refused(images, tmp_path):
    with tarfile.open(tmp_path / "two.tar", "w") as archive:
        for top in ("one", "two"):
            archive.add(images, top)
    with pytest.raises(Problem, match="more than once: in one/, two/"):
        Folder.read(str(tmp_path / "two.tar"), None)


@pytest.mark.parametrize("place", ["folder", "tar"])
def test_names_with_control_characters_are_escaped_in_messages(images, tmp_path, place):
    root = tmp_path / "odd"
    shutil.copytree(images, root)
    (root / "train/a\nrow 13: 99 %\x1b[31m").mkdir()
    (root / "train/a\nrow 13: 99 %\x1b[31m/0.png").write_bytes(b"")
    path = root
    if place == "tar":
        path = tmp_path / "odd.tar"
        with tarfile.open(path, "w") as archive:
            archive.add(root, "x")
    with pytest.raises(Problem) as fault:
        Folder.read(str(path), None)
    message = str(fault.value)
    assert message.isprintable()
    assert r"a\nrow 13: 99 %\x1b[31m has no counterpart" in message


@pytest.mark.parametrize("place", ["class", "data"])
def test_a_name_that_is_not_utf8_is_refused(images, tmp_path, place, capsys):
    root = tmp_path / ("set\udce9" if place == "data" else "set")
    shutil.copytree(images, root)
    if place == "class":
        for split in ("train", "val"):
            (root / split / "a").rename(root / split / "caf\udce9")
    expected = r"data: 'set\\udce9'" if place == "data" else r"class of data set: 'caf\\udce9'"
    with pytest.raises(Problem, match=f"{expected} is not UTF-8, so no record can hold it"):
        read_source(str(root))
    assert main(["check-data", str(root)]) == 2
    assert "is not UTF-8" in capsys.readouterr().err


def test_a_broken_image_with_a_line_in_its_name_gives_one_line(images, tmp_path):
    root = tmp_path / "odd"
    shutil.copytree(images, root)
    (root / "train/a/x\nBrokenImage: all is well.png").write_bytes(b"no image")
    data = open_data(Folder.read(str(root), None))
    (fault,) = broken_images(data, lambda done, total: None)
    assert fault.isprintable() and r"x\nBrokenImage: all is well.png" in fault
    assert fault.startswith("image ") and "cannot be read" in fault


def make_huge(path):
    """Make a file of 3 GB that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(3_000_000_000)


@pytest.mark.parametrize("ending", [".png", ".bmp"])  # of a .bmp, the fingerprint takes the bytes
def test_an_image_that_is_too_large_is_named_and_not_read(images, tmp_path, ending, monkeypatch):
    shutil.copytree(images, tmp_path / "set")
    make_huge(tmp_path / f"set/train/a/huge{ending}")
    monkeypatch.setattr(Path, "open", refuse_huge(Path.open))
    data = open_data(Folder.read(str(tmp_path / "set"), None))
    assert len(data.source.fingerprint) == 12
    (fault,) = broken_images(data, lambda done, total: None)
    assert f"huge{ending} cannot be read: 3,000,000,000 bytes are more than 256,000,000" in fault


def test_a_note_that_is_too_large_is_named_and_not_read(images, tmp_path, monkeypatch):
    shutil.copytree(images, tmp_path / "set")
    make_huge(tmp_path / "set" / NOTE)
    monkeypatch.setattr(Path, "open", refuse_huge(Path.open))
    with pytest.raises(Problem, match=f"{NOTE} cannot be read: 3,000,000,000 bytes are more than"):
        Folder.read(str(tmp_path / "set"), None)


def refuse_huge(open_path):
    """Return Path.open for files that may be read: to read 3 GB takes this machine's memory."""

    def checked(path, mode="r", *more, **named):
        assert "w" in mode or path.stat().st_size < 1_000_000_000, f"{path} is read"
        return open_path(path, mode, *more, **named)

    return checked


def test_an_image_that_is_a_named_pipe_is_not_left_out_silently(images, tmp_path):
    shutil.copytree(images, tmp_path / "set")
    os.mkfifo(tmp_path / "set/val/a/pipe.png")
    with pytest.raises(Problem, match=r"pipe\.png is no regular file"):
        Folder.read(str(tmp_path / "set"), None)
