"""Prepared copies: smaller, in the same order, the same bytes after a kill, checked."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest
from PIL import Image

from experiments.data.folder import Folder
from experiments.data.prepare import Preparation, _held
from experiments.data.prepared import NOTE, Prepared
from experiments.data.sources import read_source
from experiments.data.splits import open_data
from roadmap.cli.main import main
from roadmap.errors import Problem
from tests.experiments.data.made import pictures

ROOT = Path(__file__).parents[3]
SIZES = ((90, 120), (120, 90), (30, 44), (64, 300))  # height and width; one is small enough


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two classes of JPEGs, PNGs and a grey JPEG: 12 for training and 4 for validation each."""
    root = tmp_path_factory.mktemp("photographs")
    arrays = iter(pictures(32, SIZES))
    for split, count in (("train", 12), ("val", 4)):
        for name in ("a", "b"):
            folder = root / split / name / "deeper"
            folder.mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(next(arrays))
                if number == 5:
                    image = image.convert("L")
                ending = ("JPEG", "jpg", "png", "jpeg")[number // 3]
                image.save(folder / f"{number:02}.{ending}", quality=97)
    return root


def prepare(root, out, *, say=lambda text: None, workers=1, skip=False, short_side=48, quality=90):
    source = Folder.read(str(root), None)
    how = Prepared.here(source=source.fingerprint, short_side=short_side, quality=quality)
    preparation = Preparation(
        source=source, root=Path(root), out=out, how=how, workers=workers, skip=skip
    )
    return preparation.run(lambda what, done, total: None, say)


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_a_copy_has_the_same_images_smaller_and_in_order(photographs, tmp_path, name):
    copy = prepare(photographs, tmp_path / name)
    source = read_source(str(photographs))
    assert copy == read_source(str(tmp_path / name)) and copy.class_names == source.class_names
    before, after = (open_data(one) for one in (source, copy))
    for split in ("train", "val"):
        pairs = zip(source.samples[split], copy.samples[split], strict=True)
        for index, ((old, label), (new, other)) in enumerate(pairs):
            assert label == other and new.name in (old.name, f"{old.name}.jpg")
            large = getattr(before, split).image(index)
            small = getattr(after, split).image(index)
            assert min(small.size) == min(48, *large.size)
            expected = numpy.asarray(large.resize(small.size, Image.BICUBIC), dtype=int)
            assert abs(numpy.asarray(small) - expected).mean() < 20  # another image: 80
            assert Image.open(io.BytesIO(new.open().read())).format == "JPEG"
    assert os.listdir(tmp_path) == [name]  # nothing unfinished


def test_a_small_jpeg_is_copied_as_it_is_and_nothing_is_enlarged(photographs, tmp_path):
    copy = prepare(photographs, tmp_path / "copy", short_side=1000)
    same = 0
    for (old, _), (new, _) in zip(
        Folder.read(str(photographs), None).samples["train"], copy.samples["train"], strict=True
    ):
        one, other = (Image.open(io.BytesIO(file.open().read())) for file in (old, new))
        assert one.size == other.size and other.mode == "RGB"
        same += old.open().read() == new.open().read()
    assert same == 2 * (12 - 3 - 1)  # all but the PNGs and the grey one, in two classes


def test_a_copy_has_its_own_fingerprint_and_names_its_source(photographs, tmp_path):
    source = read_source(str(photographs))
    folder = prepare(photographs, tmp_path / "copy")
    tar = prepare(photographs, tmp_path / "copy.tar")
    other = prepare(photographs, tmp_path / "other", quality=80)
    assert folder.fingerprint == tar.fingerprint
    assert len({source.fingerprint, folder.fingerprint, other.fingerprint}) == 3
    for copy in (folder, tar):
        prepared = open_data(copy).describe()["prepared"]
        assert prepared["source"] == source.fingerprint and prepared["pillow"]
        assert (prepared["short_side"], prepared["quality"], prepared["left_out"]) == (48, 90, 0)
    assert "prepared" not in open_data(source).describe()
    without_note = tmp_path / "without"
    shutil.copytree(tmp_path / "copy", without_note)
    (without_note / NOTE).unlink()
    assert read_source(str(without_note)).fingerprint != folder.fingerprint


@pytest.mark.slow
def test_several_processes_write_the_same_bytes(photographs, tmp_path):
    prepare(photographs, tmp_path / "one.tar")
    prepare(photographs, tmp_path / "two.tar", workers=2)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_tar_that_breaks_off_anywhere_is_continued_to_the_same_bytes(photographs, tmp_path):
    prepare(photographs, tmp_path / "whole.tar")
    whole = (tmp_path / "whole.tar").read_bytes()
    out, work = tmp_path / "again.tar", tmp_path / "again.tar.partial"
    source = Folder.read(str(photographs), None)
    how = Prepared.here(source=source.fingerprint, short_side=48, quality=90)
    for cut in (0, 1, 511, 512, 700, 5120, len(whole) // 2, len(whole) - 11000, len(whole)):
        work.mkdir()
        (work / "settings.json").write_bytes(how.text())
        (work / "images.tar").write_bytes(whole[:cut])
        prepare(photographs, out)
        assert out.read_bytes() == whole and not work.exists(), cut
        out.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_a_killed_command_is_continued_to_the_same_bytes(tmp_path, name):
    root = tmp_path / "many"
    for index, array in enumerate(pictures(400, ((300, 400),))):
        folder = root / ("val" if index % 8 == 0 else "train") / "ab"[index % 2 ^ index % 16 // 8]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / f"{index}.jpg")
    whole, out = tmp_path / f"whole-{name}", tmp_path / name
    assert main(["prepare-data", str(root), "--out", str(whole), "--workers", "1"]) == 0
    command = [sys.executable, "-m", "roadmap", "prepare-data", root, "--out", out]
    process = subprocess.Popen([*command, "--workers", "2"], cwd=ROOT, stderr=subprocess.DEVNULL)
    work = tmp_path / f"{name}.partial"
    end = time.monotonic() + 120
    while size_of(work) < 300_000:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "continuing: " in done.stderr and "all checked" in done.stdout
    assert contents(out) == contents(whole) and not work.exists()
    assert main([*map(str, command[3:])]) == 0  # done already
    assert contents(out) == contents(whole)


def size_of(work):
    try:
        return sum(file.stat().st_size for file in work.rglob("images*/**/*.jpg")) + sum(
            file.stat().st_size for file in work.glob("images.tar")
        )
    except FileNotFoundError:  # renamed in between
        return 0


def contents(path):
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [(file.relative_to(path), file.read_bytes()) for file in files if file.is_file()]


def test_a_broken_training_image_stops_or_is_left_out_and_counted(photographs, tmp_path):
    root, said = tmp_path / "broken", []
    shutil.copytree(photographs, root)
    file = root / "train/b/deeper/01.JPEG"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(Problem, match=r"01.JPEG cannot be read: .*check-data names all"):
        prepare(root, tmp_path / "copy")
    copy = prepare(root, tmp_path / "copy", skip=True, say=said.append)
    assert said[0].startswith("continuing: 13 of 32") and "01.JPEG" in said[1]
    assert copy.prepared.left_out == 1 and copy.images == 23
    val = root / "val/b/deeper/01.JPEG"
    val.write_bytes(b"no image")
    with pytest.raises(Problem, match="validation images are never left out"):
        prepare(root, tmp_path / "other", skip=True)


def test_the_copy_is_checked_at_the_end(photographs, tmp_path):
    whole = prepare(photographs, tmp_path / "whole")
    name = whole.samples["val"][3][0].name
    for content, message in ((b"no image", "cannot be read"), (None, "its short side has 90")):
        work = tmp_path / "copy.partial"
        shutil.copytree(tmp_path / "whole", work / "images")
        (work / "images" / NOTE).rename(work / "settings.json")
        large = (photographs / "val/a/deeper/00.JPEG").read_bytes()
        (work / "images" / name).write_bytes(content or large)
        with pytest.raises(Problem, match=message):
            prepare(photographs, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
        shutil.rmtree(work)
    work = tmp_path / "copy.partial"
    (work / "images/train/a").mkdir(parents=True)
    (work / "images/train/a/extra.jpg").write_bytes(large)
    with pytest.raises(Problem, match="does not hold the images it should"):
        prepare(photographs, tmp_path / "copy")


def test_bad_input_is_named_in_one_line(photographs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["prepare-data", str(photographs), "--out", "copy", "--workers", "1"]) == 0
    (tmp_path / "file").write_text("a")
    (tmp_path / "begun.partial").mkdir()
    note = json.loads((tmp_path / "copy" / NOTE).read_text())
    (tmp_path / "begun.partial/settings.json").write_text(json.dumps(note | {"quality": 50}))
    shutil.copytree(tmp_path / "copy", "damaged")
    (tmp_path / "damaged" / NOTE).write_text("[]")
    capsys.readouterr()
    source = str(photographs)
    for given, words in {
        ("nowhere", "--out", "x"): "nowhere is no folder and no .tar",
        ("fractals", "--out", "x"): "fractals is no folder and no .tar",
        ("copy", "--out", "x"): "prepared copy itself",
        ("damaged", "--out", "x"): "roadmap-prepared.json is damaged",
        (source, "--out", "file"): "exists and is no such copy",
        (source, "--out", "copy", "--quality", "80"): "exists and is no such copy",
        (source, "--out", "begun"): "begun.partial was begun with another",
        (source, "--out", "x.tar.gz"): "cannot be compressed further",
        (source, "--out", f"{source}/x"): "lies in the data",
        (source, "--out", "file/x"): "Not a directory",
        (source, "--out", "x", "--quality", "101"): "1 to 100",
    }.items():
        assert main(["prepare-data", *given]) == 2, given
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1, error
    assert sorted(os.listdir(tmp_path)) == ["begun.partial", "copy", "damaged", "file"]


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_what_a_kill_after_the_rename_left_is_removed(photographs, tmp_path, name):
    work, out = tmp_path / f"{name}.partial", tmp_path / name
    prepare(photographs, out)
    for left in (("settings.json", "lock"), ("lock",), ()):
        work.mkdir()
        for file in left:
            (work / file).touch()
        prepare(photographs, out)
        assert not work.exists(), left
    work.mkdir()
    (work / "notes.txt").write_text("mine")
    prepare(photographs, out)
    assert (work / "notes.txt").read_text() == "mine"


def test_two_processes_do_not_write_one_copy(photographs, tmp_path):
    from filelock import FileLock

    (tmp_path / "copy.partial").mkdir()
    with (
        FileLock(tmp_path / "copy.partial/lock"),
        pytest.raises(Problem, match="being written by another process"),
    ):
        prepare(photographs, tmp_path / "copy")


def test_names_that_would_change_places_are_refused(images, tmp_path):
    root = tmp_path / "odd"
    shutil.copytree(images, root)
    shutil.copy(root / "train/a/0.png", root / "train/a/0.png-2.jpg")
    with pytest.raises(Problem, match="0.png and train/a/0.png-2.jpg would change places"):
        prepare(root, tmp_path / "copy")


@pytest.mark.parametrize("name", ["", "lock", "file.partial", "images.tar", "images/train"])
def test_a_planted_link_is_named_and_not_written_through(tmp_path, name):
    victim, link = tmp_path / "victim", tmp_path / "copy.partial" / name
    victim.mkdir()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(victim)
    with pytest.raises(Problem, match="is a link"), _held(tmp_path / "copy.partial"):
        pass
    assert not list(victim.iterdir())
