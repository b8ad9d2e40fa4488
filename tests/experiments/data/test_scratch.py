"""Data copied to another disk: the same run, a checked copy, and a disk that is full."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from experiments.data import scratch
from experiments.data.scratch import from_scratch
from experiments.request import Request
from experiments.settings import Settings
from roadmap.errors import Problem


def requests(data, tmp_path):
    settings = Settings(roadmap="tiny", data=str(data), runs=tmp_path / "runs")
    return [Request(settings=settings, row="05", seed=seed) for seed in (0, 1)]


@pytest.fixture
def archive(images, tmp_path):
    path = tmp_path / "images.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(images, arcname=".")
    return path


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_copy_is_the_same_run_from_another_place(kind, images, archive, tmp_path):
    asked, said = requests(images if kind == "folder" else archive, tmp_path), []
    copied = from_scratch(asked, tmp_path / "scratch", said.append)
    for before, after in zip(asked, copied, strict=True):
        assert before.identity == after.identity and before.folder == after.folder
        assert before.settings.source.name == after.settings.source.name
    assert str(tmp_path / "scratch") in copied[0].settings.data
    assert len(said) == 1 and "copying" in said[0]
    from_scratch(
        requests(images if kind == "folder" else archive, tmp_path),
        tmp_path / "scratch",
        said.append,
    )
    assert len(said) == 1  # it is there


def test_a_copy_that_was_interrupted_is_made_again(images, tmp_path):
    place = tmp_path / "scratch"
    copied = from_scratch(requests(images, tmp_path), place, print)
    copy = copied[0].settings.data
    next(place.glob(f"*/{scratch.DONE}")).unlink()
    shutil.rmtree(f"{copy}/val")
    copied = from_scratch(requests(images, tmp_path), place, print)
    assert copied[0].settings.source.fingerprint == requests(images, tmp_path)[0].identity.data


def test_a_copy_that_differs_is_refused(images, tmp_path, monkeypatch):
    copyfile = shutil.copyfile

    def faulty(source, target):
        copyfile(source, target)
        with open(target, "r+b") as file:
            file.write(b"?")

    monkeypatch.setattr(shutil, "copyfile", faulty)
    with pytest.raises(Problem, match="differs from .* after copying"):
        from_scratch(requests(images, tmp_path), tmp_path / "scratch", print)
    assert not list((tmp_path / "scratch").glob(f"*/{scratch.DONE}"))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_leaves_the_data_where_they_are(images, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small]).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        asked, said = requests(images, tmp_path), []
        assert from_scratch(asked, small, said.append) == asked
        assert "No space left on device; reading" in said[-1]
        assert not list(small.glob("*/*/train"))
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_a_variable_is_that_of_the_node(images, tmp_path, monkeypatch):
    monkeypatch.setenv("NODE_DISK", str(tmp_path / "disk"))
    copied = from_scratch(requests(images, tmp_path), Path("$NODE_DISK/mine"), print)
    assert copied[0].settings.data.startswith(str(tmp_path / "disk" / "mine"))
    with pytest.raises(Problem, match=r"--scratch \$OTHER_DISK: this variable is not set"):
        from_scratch(requests(images, tmp_path), Path("$OTHER_DISK"), print)


def test_data_that_are_no_files_cannot_be_copied(tmp_path):
    with pytest.raises(Problem, match="--scratch copies a folder or a .tar"):
        from_scratch(requests("fractals", tmp_path), tmp_path / "scratch", print)
